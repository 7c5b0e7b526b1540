import { type RefObject, useEffect, useRef } from "react";

/**
 * Takes the focus when what had it is gone from this place, or was when the dialog that it opened
 * was closed: otherwise the next Tab would begin at the top of the page. `changes`: after which to
 * look.
 */
export function useKeptFocus(...changes: unknown[]): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  const wasHere = useRef(false);
  useEffect(() => {
    const look = ({ target }: FocusEvent) => {
      if (!(target instanceof Element) || target.closest("[role=dialog]")) return;
      wasHere.current = place.current?.contains(target) ?? false;
    };
    document.addEventListener("focusin", look);
    return () => document.removeEventListener("focusin", look);
  }, []);
  useEffect(() => {
    const isLost = wasHere.current && document.activeElement === document.body;
    if (isLost) place.current?.focus({ preventScroll: true });
    // biome-ignore lint/correctness/useExhaustiveDependencies: they are what it is to look after.
  }, changes);
  return place;
}
