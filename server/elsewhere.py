"""What no route of ours takes: Spoke's client, if it is served here, and the Spoke behind us.

`/graphql` is ours alone. Spoke takes its own in any case of letters and with anything behind it,
and what stands between may decode a path once more: so none that could lead there is handed on.
"""

import re
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from server import console, graphql, graphql_in_front, webhooks
from server.client import ASSETS, Client
from server.resources import resources_of
from services.settings import Settings
from services.twilio_signatures import INBOUND

PAGES = re.compile(
    r"/((login|terms|reset|email-reset|admin|superadmin|app|invite)(/.*)?|[^/]+/join(/[^/]+)?)?"
)
"""Those of Spoke's client, where other paths are Spoke's own."""
MOST_DECODINGS = 5
BETWEEN_NAMES = re.compile(r"[^!-~]+|[/\\;?#]+")
"""Also blanks of all kinds, which Node leaves out."""


class Elsewhere:
    """Takes what is left over. Raises StartError for a broken build of the client."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.spoke_client_dir
        self._client = Client(folder, settings) if folder else None
        self._is_in_front = settings.spoke_upstream_url is not None
        self._take = request_response(self._answer)
        self.routes = self._routes()

    def _routes(self) -> list[BaseRoute]:
        """Of what is ours only where no Spoke takes it."""
        routes: list[BaseRoute] = [*self._client.routes] if self._client else []
        if self._is_in_front:
            # People may be sent here by who signs them in for Spoke.
            routes.append(Route("/login-callback", self._answer, methods=["GET"]))
            routes.append(Route("/graphql", graphql_in_front.graphql, methods=["POST"]))
        else:
            routes.append(Route("/graphql", graphql.graphql, methods=["POST"]))
            routes.append(Route(INBOUND, webhooks.inbound, methods=["POST"]))
        if not self._client and not self._is_in_front:
            routes.append(Route("/", console.home))
        return routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)  # not accepted, that is a 403
        else:
            await self._take(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        if self._client and request.method in ("GET", "HEAD"):
            if self._client.has(path):
                return await self._client.file(request, path)
            if self._is_page(path):
                return await self._client.page(request)
        upstream = resources_of(request).upstream if self._is_in_front else None
        if upstream is None or may_lead_to_graphql(request.scope["raw_path"].decode("latin-1")):
            raise HTTPException(404)
        return await upstream.answer(request)

    def _is_page(self, path: str) -> bool:
        if self._is_in_front:
            return PAGES.fullmatch(path) is not None
        return not path.startswith(ASSETS)


def may_lead_to_graphql(path: str) -> bool:
    for _ in range(MOST_DECODINGS):
        path, decoded_from = unquote(path), path
        if path == decoded_from:
            return "graphql" in BETWEEN_NAMES.split(path.lower())
    return True
