"""What axe finds wrong with a page for people who don't see or point."""

from playwright.sync_api import Page

from server.node import WEB

SOURCE = WEB / "node_modules" / "axe-core" / "axe.min.js"
AT_REST = """async () => {
  const moving = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
  await Promise.allSettled(moving.map((transition) => transition.finished));
}"""
"""Half faded in, a text has too little contrast."""


def findings(page: Page) -> list[str]:
    page.evaluate(AT_REST)
    page.evaluate(SOURCE.read_text())
    found = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
