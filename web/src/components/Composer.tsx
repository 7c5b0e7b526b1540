import SendIcon from "@mui/icons-material/Send";
import { Alert, Button, Stack, TextField } from "@mui/material";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { formatCount } from "../hooks/format";
import type { Contact } from "../hooks/useConversation";
import { useCreditBanner } from "../hooks/useCreditBanner";
import { type Failure, type Handling, useHandling } from "../hooks/useHandling";
import { type SegmentCount, useSegmentCount } from "../hooks/useSegmentCount";
import { InsufficientCreditsBanner, whoCanHelp } from "./InsufficientCreditsBanner";
import { SegmentLine } from "./SegmentLine";

interface Props {
  teamId: string;
  contact: Contact;
  text: string;
  /** They go with the text. */
  answers: Handling["answers"];
  onChange: (text: string) => void;
  /** The text was accepted. */
  onSent: () => void;
  /** The contact can't be texted any more, or not by this person. */
  onGone: () => void;
}

const GONE = ["CONTACT_OPTED_OUT", "ASSIGNMENT_CHANGED", "NOT_FOUND", "FORBIDDEN"];

/** The box, what the text in it costs, and Send, or the banner in its place. */
export function Composer({ teamId, contact, text, answers, onChange, onSent, onGone }: Props) {
  const banner = useCreditBanner(teamId);
  const count = useSegmentCount(text);
  const { handle, isUnderWay, failure, forgetFailure } = useHandling(contact);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current?.focus(), []);
  // Send is gone, and the focus with it, if it was there.
  useEffect(() => {
    if (banner.isExhausted && document.activeElement === document.body) box.current?.focus();
  }, [banner.isExhausted]);

  async function sendNow() {
    if (text.trim() === "" || banner.isExhausted) return;
    if (await handle({ text, answers })) onSent();
    else box.current?.focus();
  }
  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void sendNow();
  }
  function write(next: string) {
    forgetFailure();
    onChange(next);
  }

  const isGone = failure?.code != null && GONE.includes(failure.code);
  return (
    <Stack spacing={1.5} sx={{ p: 2 }}>
      <TextField
        label="Your text"
        multiline
        minRows={3}
        maxRows={12}
        value={text}
        inputRef={box}
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <SegmentLine count={count} />
      {failure && !banner.isExhausted && (
        <Alert
          severity={failure.isLost ? "warning" : "error"}
          action={isGone && <Button onClick={onGone}>Go on</Button>}
        >
          {explain(failure, count, banner.contacts)}
        </Alert>
      )}
      <div role="status">
        {banner.isExhausted && <InsufficientCreditsBanner contacts={banner.contacts} />}
      </div>
      {!banner.isExhausted && (
        <Button
          variant="contained"
          size="large"
          endIcon={<SendIcon />}
          loading={isUnderWay}
          loadingPosition="end"
          disabled={text.trim() === ""}
          onClick={() => void sendNow()}
        >
          {failure?.isLost ? "Send again" : "Send"}
        </Button>
      )}
    </Stack>
  );
}

/** A refusal in words that say what to do. */
function explain(failure: Failure, count: SegmentCount | null, contacts: string[]): string {
  if (failure.isLost) {
    return `${failure.sentence} Sending it again doesn't send it twice.`;
  }
  if (failure.code !== "INSUFFICIENT_CREDITS") return failure.sentence;
  const required = failure.details.requiredCredits ?? count?.creditsPerText;
  const remaining = failure.details.remainingCredits;
  const needs =
    typeof required === "number" ? `This text needs ${formatCount(required, "credit")}` : "";
  const has =
    typeof remaining === "number"
      ? `your team has ${formatCount(remaining, "credit")}`
      : "your team has fewer left";
  return `Insufficient Credits. ${needs}, ${has}. A shorter text may go. ${whoCanHelp(contacts)}`;
}
