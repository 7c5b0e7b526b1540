import { useCallback, useState } from "react";
import { readStored, store } from "./stored";

/**
 * A text for a contact that outlives a reload, until it was sent. `suggestion` stands in the box of
 * who hasn't written anything yet.
 */
export function useDraft(
  contactId: string,
  suggestion: string,
): [text: string, write: (text: string) => void, forget: () => void] {
  const name = `draft:${contactId}`;
  const [written, setWritten] = useState(() => readStored(name));
  const write = useCallback(
    (text: string) => {
      setWritten(text);
      store(name, text);
    },
    [name],
  );
  const forget = useCallback(() => {
    setWritten(null);
    store(name, null);
  }, [name]);
  return [written ?? suggestion, write, forget];
}
