import { useEffect } from "react";

/** What the browser's tab and its history call the page. */
export function useTitle(page: string): void {
  useEffect(() => {
    document.title = `${page} · Spoke Credits`;
    return () => {
      document.title = "Spoke Credits";
    };
  }, [page]);
}
