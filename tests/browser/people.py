"""People with a browser."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from server.demo import PASSWORD
from tests.servers import Running

StartServer = Callable[..., AbstractContextManager[Running]]

PATIENCE_MILLISECONDS = 20_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


class Visit:
    """Opens pages of the console, each with a browser of its own."""

    def __init__(self, browser: Browser, address: str, listen: Callable[[Page], None]) -> None:
        self._browser = browser
        self._listen = listen
        self._contexts: list[BrowserContext] = []
        self.address = address

    def __call__(self, email: str | None, path: str = "/credits/", **options: Any) -> Page:
        """`options`: of a browser's context, such as `color_scheme`."""
        context = self._browser.new_context(base_url=self.address, **options)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        self._contexts.append(context)
        if email:
            person = {"email": email, "password": PASSWORD}
            answer = context.request.post("/login-callback", data=person, max_redirects=0)
            assert answer.status == 302, answer.text()
        page = context.new_page()
        self._listen(page)
        page.goto(path)
        return page

    def ask(self, page: Page, query: str) -> Any:
        """As the person of that page, past the console."""
        answer = page.context.request.post("/graphql", data={"query": query}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def end(self) -> None:
        for context in self._contexts:
            context.close()
