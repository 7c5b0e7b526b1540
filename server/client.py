"""Spoke's client, from a production build of it: the page that starts it, and its files.

Which files there are is read once: only those are served, so that no path leads out of the folder.
"""

import asyncio
import base64
import gzip
import hashlib
import mimetypes
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from server.bodies import JsonResponse
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
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
PACKED = {"br": ".br", "gzip": ".gz"}
"""Codings, the best first, and how the build names a file in it."""
SMALLEST_TO_COMPRESS = 1024
COMPRESSIBLE = re.compile(r"text/|application/(javascript|json|manifest\+json)|image/svg")
HARMLESS_IN_JSON = {sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}

_static = StaticFiles()
"""Knows how a file is answered, in parts and if it has changed."""


class Client:
    """A build, ready to be served. Raises StartError for one that can't be."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        names = _manifest(folder)
        self._files = _files(folder)
        self._renamed = {ASSETS + to for name, to in names.items() if name != to}
        self._window = _window(settings)
        for needed in (bundle := ASSETS + names["bundle.js"], SERVICE_WORKER):
            if needed not in self._files:
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
        return path in self._files

    async def file(self, request: Request, path: str) -> Response:
        """In the best coding that the browser takes."""
        note(request, field="client")
        file, codings = self._files[path], _accepted(request.headers.get("accept-encoding", ""))
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        is_kept = self._is_kept(path)
        headers = {
            "cache-control": FOR_EVER if is_kept else ASK_EACH_TIME,
            "vary": "accept-encoding",
        }
        for coding, suffix in PACKED.items():
            if coding in codings and (packed := self._files.get(path + suffix)):
                headers["content-encoding"] = coding
                return _answer(request, packed, headers)
        if is_kept and "gzip" in codings and _is_worth_it(file, media_type):
            headers["content-encoding"] = "gzip"
            content = await asyncio.to_thread(_compressed, file)
            return Response(content, headers=headers, media_type=media_type)
        return _answer(request, file, headers)

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


def _files(folder: Path) -> Mapping[str, Path]:
    """By their paths. Hidden ones are left out, and links that lead elsewhere."""
    root = folder.resolve()
    found = {}
    for path in root.rglob("*"):
        below = path.relative_to(root)
        is_hidden = any(part.startswith(".") for part in below.parts)
        if not is_hidden and path.is_file() and path.resolve().is_relative_to(root):
            found["/" + below.as_posix()] = path
    return found


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


def _accepted(header: str) -> set[str]:
    wishes = [wish.replace(" ", "").lower().partition(";q=") for wish in header.split(",")]
    return {coding for coding, _, quality in wishes if quality.strip("0.") or not quality}


def _answer(request: Request, file: Path, headers: Mapping[str, str]) -> Response:
    response = _static.file_response(file, os.stat(file), request.scope)
    response.headers.update(headers)
    return response


def _is_worth_it(file: Path, media_type: str) -> bool:
    is_text = COMPRESSIBLE.match(media_type) is not None
    return is_text and file.stat().st_size >= SMALLEST_TO_COMPRESS


@lru_cache(maxsize=512)
def _compressed(file: Path) -> bytes:
    """Once: the bundle costs half a second."""
    return gzip.compress(file.read_bytes(), compresslevel=6)
