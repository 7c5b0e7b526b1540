import { Alert, Button, DialogActions, DialogContent, Stack, TextField } from "@mui/material";
import { type SubmitEvent, useEffect, useRef } from "react";
import { formatCount } from "../hooks/format";
import type { useAdditionForm } from "../hooks/useAdditionForm";
import type { useCreditFigures } from "../hooks/useCreditFigures";
import { AmountField } from "./AmountField";
import { Collapsible } from "./Collapsible";
import { CreditCalculator } from "./CreditCalculator";
import { RemainingNow } from "./RemainingNow";

const LONGEST_NOTE = 1000;

interface Props {
  teamId: string;
  figures: ReturnType<typeof useCreditFigures>;
  form: ReturnType<typeof useAdditionForm>;
  onClose: () => void;
}

/** What to add, and the calculator that tells how much. */
export function AddCreditsForm({ teamId, figures, form, onClose }: Props) {
  const amountRef = useRef<HTMLInputElement>(null);
  const { adding, problem } = form;
  const isUnderWay = adding.step === "adding";
  const isRefused = adding.step === "ready" && adding.refusal !== null;

  // While it was under way, nothing could have the focus.
  useEffect(() => {
    if (isRefused) amountRef.current?.focus();
  }, [isRefused]);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (form.amount === null) amountRef.current?.focus();
    form.submit();
  };
  const fill = (credits: number) => {
    form.write(String(credits));
    amountRef.current?.focus();
  };
  return (
    <Stack component="form" noValidate onSubmit={submit} sx={{ minHeight: 0, flexGrow: 1 }}>
      <DialogContent dividers>
        <Stack spacing={2}>
          <RemainingNow {...figures} />
          <AmountField inputRef={amountRef} form={form} team={figures.team} />
          <TextField
            label="Note (optional)"
            helperText="Why. It is shown in the credit purchases."
            value={form.note}
            onChange={(event) => form.setNote(event.target.value)}
            disabled={form.isFixed}
            slotProps={{ htmlInput: { maxLength: LONGEST_NOTE } }}
          />
          <Collapsible label="Calculator: how many are needed?">
            <CreditCalculator
              teamId={teamId}
              team={figures.team}
              onFill={form.isFixed ? undefined : fill}
            />
          </Collapsible>
        </Stack>
      </DialogContent>
      {adding.step !== "adding" && !problem && <Failure adding={adding} />}
      <DialogActions>
        <Button onClick={onClose} disabled={isUnderWay}>
          {adding.step === "lost" ? "Close" : "Cancel"}
        </Button>
        {adding.step === "lost" && <Button onClick={form.beginAnew}>Begin anew</Button>}
        <SubmitButton {...form} />
      </DialogActions>
    </Stack>
  );
}

type FormProps = Pick<ReturnType<typeof useAdditionForm>, "adding" | "amount">;

function SubmitButton({ adding, amount }: FormProps) {
  const isLost = adding.step === "lost";
  const add = amount === null ? "Add credits" : `Add ${formatCount(amount, "credit")}`;
  return (
    // Another one where the answer was lost, since the focus was lost with it.
    <Button
      key={String(isLost)}
      type="submit"
      variant="contained"
      autoFocus={isLost}
      loading={adding.step === "adding"}
    >
      {isLost ? "Try again" : add}
    </Button>
  );
}

/** Above the buttons, where it is seen however far the form is scrolled. */
function Failure({ adding }: Pick<FormProps, "adding">) {
  if (adding.step === "lost") {
    return (
      <Alert severity="warning">
        The answer was lost: {formatCount(adding.addition.amount, "credit")} may or may not have
        been added. Try again: they are added only once. Or look at the team's credit purchases, and
        begin anew.
      </Alert>
    );
  }
  if (adding.step !== "ready" || !adding.refusal) return null;
  return <Alert severity="error">{adding.refusal.sentence}</Alert>;
}
