import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// All files share a page: what one test leaves there would meet the next.
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.restoreAllMocks();
  sessionStorage.clear();
});
