"""What no route of ours takes: Spoke's client, if it is served here."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from server import graphiql
from server.client import ASSETS, Client
from services.settings import Settings


class Elsewhere:
    """Takes what is left over. Raises StartError for a broken build of the client."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.spoke_client_dir
        self._client = Client(folder, settings) if folder else None
        self._take = request_response(self._answer)
        self.routes = self._routes()

    def _routes(self) -> list[BaseRoute]:
        return [*self._client.routes] if self._client else [Route("/", graphiql.home)]

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
            if not path.startswith(ASSETS):
                return await self._client.page(request)
        raise HTTPException(404)
