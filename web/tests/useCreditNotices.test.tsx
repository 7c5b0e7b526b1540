import { act, renderHook, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { momentOf, useCreditNotices } from "../src/hooks/useCreditNotices";
import { type Answer, serverOf } from "./server";

const TOLD = { createdAt: "2026-11-01T10:00:00Z", sentAt: null, deliveredAt: null };

function mailbox(count: number): Record<string, Answer> {
  const notice = (id: number) => ({
    __typename: "CreditNotice",
    id: String(id),
    occasion: "EXHAUSTED",
    state: "QUEUED",
    address: "owner@example.org",
    attempts: 0,
    error: null,
    ...TOLD,
  });
  return {
    CreditNotices: ({ limit }) => ({
      data: {
        creditNotices: Array.from({ length: Math.min(Number(limit), count) }, (_, index) =>
          notice(count - index),
        ),
      },
    }),
  };
}

async function noticesOf(count: number) {
  const { asked, wrapper } = serverOf(mailbox(count));
  const { result } = renderHook(() => useCreditNotices("1", false), { wrapper });
  await waitFor(() => expect(result.current.notices).toBeDefined());
  return { asked, result };
}

it("offers older mail until there is none", async () => {
  const { result } = await noticesOf(70);
  expect(result.current.notices).toHaveLength(50);
  act(() => result.current.showMore?.());
  expect(result.current.notices).toHaveLength(50);
  await waitFor(() => expect(result.current.notices).toHaveLength(70));
  expect(result.current.showMore).toBeNull();
});

it("doesn't ask for more than the server gives", async () => {
  const { asked, result } = await noticesOf(1000);
  for (let seen = 50; seen < 500; seen += 50) {
    act(() => result.current.showMore?.());
    await waitFor(() => expect(result.current.notices).toHaveLength(seen + 50));
  }
  expect(result.current.showMore).toBeNull();
  expect(asked.at(-1)?.variables).toMatchObject({ limit: 500, withErrors: false });
});

it("tells when a mail came to its state", async () => {
  const { result } = await noticesOf(1);
  const [notice] = result.current.notices ?? [];
  if (!notice) throw new Error("There is no notice.");
  expect(momentOf(notice)).toBe(TOLD.createdAt);
  expect(momentOf({ ...notice, sentAt: "2" })).toBe("2");
  expect(momentOf({ ...notice, sentAt: "2", deliveredAt: "3" })).toBe("3");
});
