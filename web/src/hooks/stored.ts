/**
 * What outlives a reload, as long as the browser's tab. Where a browser forbids storage, or has no
 * room, it lives as long as the page.
 */
const ofThisPage = new Map<string, string>();

export function readStored(name: string): string | null {
  const known = ofThisPage.get(name);
  if (known !== undefined) return known;
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Null forgets it. */
export function store(name: string, value: string | null): void {
  if (value === null) ofThisPage.delete(name);
  else ofThisPage.set(name, value);
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch {
    return;
  }
}
