"""Spoke's client, from a production build of it: the page that starts it, and its files."""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from server.bodies import JsonResponse
from server.built_files import ASK_EACH_TIME, BuiltFiles
from server.errors import StartError
from server.graphiql import templates
from server.request_log import note
from server.resources import resources_of
from services.client_settings import ClientSettings
from services.settings import Settings
from services.themes import read_theme

ASSETS = "/assets/"
SERVICE_WORKER = "/service-worker.js"
NAMED_BY_CONTENT = re.compile(r"[.-][0-9a-f]{8,}\.")
HARMLESS_IN_JSON = {sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class Client:
    """A build, ready to be served. Raises StartError for one that can't be."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        names = _manifest(folder)
        self._files = BuiltFiles(folder)
        self._renamed = {ASSETS + to for name, to in names.items() if name != to}
        self._window = _window(settings)
        for needed in (bundle := ASSETS + names["bundle.js"], SERVICE_WORKER):
            if not self._files.has(needed):
                raise StartError(f"SPOKE_CLIENT_DIR is no build of Spoke's client: no {needed}.")
        script = _script(self._window)
        page = templates.get_template("client.html").render(script=script, bundle=bundle)
        self._page = page.encode()
        self._headers = {
            "cache-control": ASK_EACH_TIME,
            "content-security-policy": _policy(script),
        }
        self.routes = [
            Route("/", self.page),
            Route("/settings/instance", self.instance_settings),
            Route("/settings/theme", theme),
        ]

    async def page(self, request: Request) -> Response:
        note(request, field="client")
        return HTMLResponse(self._page, headers=self._headers)

    async def instance_settings(self, request: Request) -> Response:
        return JsonResponse(self._window, headers={"cache-control": ASK_EACH_TIME})

    def has(self, path: str) -> bool:
        return self._files.has(path)

    async def file(self, request: Request, path: str) -> Response:
        note(request, field="client")
        return await self._files.answer(request, path, is_kept=self._is_kept(path))

    def _is_kept(self, path: str) -> bool:
        """Another content would have another name."""
        is_named_by_content = NAMED_BY_CONTENT.search(path.rpartition("/")[2]) is not None
        return path.startswith(ASSETS) and (path in self._renamed or is_named_by_content)


async def theme(request: Request) -> Response:
    async with resources_of(request).database.reads() as session:
        return JsonResponse(await read_theme(session))


def _manifest(folder: Path) -> dict[str, str]:
    """Which file stands for which name, below ASSETS."""
    path = folder / "assets" / "assets.json"
    try:
        names = orjson.loads(path.read_bytes())
    except OSError as error:
        raise StartError(f"SPOKE_CLIENT_DIR: can't read {path} ({error.strerror}).") from None
    except orjson.JSONDecodeError:
        raise StartError(f"SPOKE_CLIENT_DIR: {path} is not JSON.") from None
    if not isinstance(names, dict) or not isinstance(names.get("bundle.js"), str):
        raise StartError(f"SPOKE_CLIENT_DIR: {path} doesn't name bundle.js.")
    return {
        name: to.removeprefix(ASSETS).lstrip("/")
        for name, to in names.items()
        if isinstance(to, str)
    }


def _window(settings: Settings) -> dict[str, bool | int | str]:
    """What the client finds in `window`, and asks for again at /settings/instance. What is not set
    is absent."""
    told = {name.upper(): getattr(settings, name) for name in ClientSettings.model_fields}
    told |= {
        "BASE_URL": settings.address,
        "GRAPHQL_URL": "/graphql",
        "MAX_MESSAGE_LENGTH": settings.max_message_length,
        "NODE_ENV": "production",
        "SPOKE_VERSION": settings.spoke_version,
    }
    return {name: value for name, value in told.items() if value is not None}


def _script(window: Mapping[str, bool | int | str]) -> str:
    """Nothing in a value ends the script or begins another."""
    values = {name: orjson.dumps(value).decode() for name, value in window.items()}
    for sign, written in HARMLESS_IN_JSON.items():
        values = {name: value.replace(sign, written) for name, value in values.items()}
    return "\n".join(f"window.{name}={value};" for name, value in values.items())


def _policy(script: str) -> str:
    """No script but the build's and ours; what else a build loads is its own affair."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return "; ".join(
        [
            f"script-src 'self' 'unsafe-eval' 'sha256-{digest}'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        ]
    )
