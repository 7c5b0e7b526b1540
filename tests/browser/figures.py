"""What a browser spends on the console's pages: `python -m tests.browser.figures`.

As Lighthouse has it, but without its slowed-down machine: medians of five first visits, nothing
cached, on the demo data.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.people import Visit
from tests.browser.screenshots import visits

VISITS = 5
PAGES = {
    "superadmin@example.org": ("/credits/teams", "/credits/usage"),
    "owner@example.org": ("/credits/team/1", "/credits/team/1/usage"),
    "texter@example.org": ("/credits/text", "/credits/text/1"),
}
OBSERVE = """
window.figures = { lcp: 0, shift: 0, blocked: 0 };
const observe = (type, each) =>
  new PerformanceObserver((list) => list.getEntries().forEach(each))
    .observe({ type, buffered: true });
observe("largest-contentful-paint", (entry) => { figures.lcp = entry.startTime; });
observe("layout-shift", (entry) => { if (!entry.hadRecentInput) figures.shift += entry.value; });
observe("longtask", (entry) => { figures.blocked += Math.max(0, entry.duration - 50); });
"""
READ = """() => {
  const assets = performance.getEntriesByType("resource")
    .filter(({ name }) => name.includes("/assets/"));
  const scripts = assets.filter(({ name }) => name.endsWith(".js"));
  const first = performance.getEntriesByName("first-contentful-paint")[0];
  return [
    first.startTime, figures.lcp, figures.blocked, figures.shift * 1000,
    scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1000,
    assets.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1000,
  ];
}"""
"""Milliseconds, thousandths of shift, and thousands of bytes as they are transferred."""
HEADING = "page, first paint ms, largest paint ms, blocked ms, shift/1000, scripts kB, assets kB"


def measured(visit: Visit, who: str, path: str) -> list[float]:
    page: Page = visit(who, "about:blank")
    page.add_init_script(OBSERVE)
    page.goto(path)
    page.get_by_role("heading").first.wait_for()
    page.wait_for_load_state("networkidle")
    figures: list[float] = page.evaluate(READ)
    page.context.close()
    return figures


def main() -> None:
    print(HEADING)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with visits(folder) as visit:
            for who, paths in PAGES.items():
                for path in paths:
                    found = [measured(visit, who, path) for _ in range(VISITS)]
                    medians = map(statistics.median, zip(*found, strict=True))
                    print(f"{path}, " + ", ".join(f"{value:.0f}" for value in medians))


if __name__ == "__main__":
    main()
