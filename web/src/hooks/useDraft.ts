import { useCallback, useState } from "react";

/**
 * A text for a contact that outlives a reload, until it was sent. `suggestion` stands in the box of
 * who hasn't written anything yet.
 */
export function useDraft(
  contactId: string,
  suggestion: string,
): [text: string, write: (text: string) => void, forget: () => void] {
  const name = `draft:${contactId}`;
  const [written, setWritten] = useState(() => read(name));
  const write = useCallback(
    (text: string) => {
      setWritten(text);
      keep(name, text);
    },
    [name],
  );
  const forget = useCallback(() => {
    setWritten(null);
    keep(name, null);
  }, [name]);
  return [written ?? suggestion, write, forget];
}

// A browser may forbid storage, or have no room: the text then lives as long as the page.

function read(name: string): string | null {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name: string, text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, text);
  } catch {
    return;
  }
}
