"""The credits console, from its build in web/: the page that starts it, and its files."""

import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from server import node
from server.built_files import BuiltFiles
from server.graphiql import page
from server.request_log import note
from server.resources import resources_of
from server.sessions import signed_in

HOME = "/credits/"
NONCE = "CSP_NONCE"
"""Stands in the page where each answer gets a word of its own."""
BYTES_OF_NONCE = 16


class Console:
    """What is built when the server starts. Without a build it says how to get one."""

    def __init__(self, build: Path | None = None) -> None:
        build = build or node.CONSOLE.folder / "dist"
        self._files = BuiltFiles(build)
        self._page = (build / "index.html").read_text() if self._files.has("/index.html") else None
        self.routes = [
            Route("/credits", _to_home),
            Route(HOME, self._answer),
            Route(HOME + "{path:path}", self._answer),
        ]

    async def _answer(self, request: Request) -> Response:
        """A file, or the page: which of the console's pages it becomes is decided there."""
        note(request, field="console")
        path = "/" + request.path_params.get("path", "")
        if path.startswith("/assets/"):
            if not self._files.has(path):
                return Response(status_code=404)
            return await self._files.answer(request, path, is_kept=True)
        if self._page is None:
            return page(request, "no_console.html", status=503)
        nonce = secrets.token_urlsafe(BYTES_OF_NONCE)
        headers = {
            "content-security-policy": _policy(nonce),
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        }
        return HTMLResponse(self._page.replace(NONCE, nonce), headers=headers)


async def home(request: Request) -> Response:
    """Spares who isn't signed in a page that says no more than that."""
    person = await signed_in(request, resources_of(request))
    path = HOME if person else f"/graphiql/sign-in?next={HOME}"
    return RedirectResponse(path, status_code=302)


async def _to_home(request: Request) -> Response:
    return RedirectResponse(HOME, status_code=308)


def _policy(nonce: str) -> str:
    """Nothing from elsewhere, no script in the page, and of styles those that the console makes."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )
