"""GraphiQL for signed-in people, and the page where they sign in. Works without other sites."""

import asyncio
import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from server import node
from server.resources import resources_of
from server.sessions import signed_in
from server.sign_in import own_path

PAGES = Path(__file__).parent / "pages"
BUNDLE = node.GRAPHIQL.folder / "node_modules" / "@graphql-yoga" / "graphiql" / "dist"
WORKERS = BUNDLE / "monacoeditorwork"
OUR_ASSETS = [PAGES / "graphiql.js", PAGES / "sign_in.js", PAGES / "pages.css"]
FETCHED_ASSETS = [
    BUNDLE / "yoga-graphiql.umd.js",
    BUNDLE / "graphiql.css",
    WORKERS / "editor.worker.bundle.js",
    WORKERS / "graphql.worker..bundle.js",
    WORKERS / "json.worker.bundle.js",
]
ASSETS = {path.name: path for path in OUR_ASSETS + FETCHED_ASSETS}

# The editor writes style attributes and style elements, and its fonts are data URLs.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
SECURE = {"content-security-policy": POLICY, "x-frame-options": "DENY"}

templates = Jinja2Templates(PAGES)


async def graphiql_page(request: Request) -> Response:
    person = await signed_in(request, resources_of(request))
    if person is None:
        return RedirectResponse("/graphiql/sign-in?next=/graphiql", status_code=302)
    is_fetched = node.GRAPHIQL.made() is not None
    status = 200 if is_fetched else 503
    return page(request, "graphiql.html", status=status, person=person, is_fetched=is_fetched)


async def sign_in_page(request: Request) -> Response:
    next_url = own_path(request.query_params.get("next"), otherwise="/")
    return page(request, "sign_in.html", next_url=next_url)


async def asset(request: Request) -> Response:
    """Under the address of another version there is nothing: what is found may be kept forever."""
    version, name = request.path_params["version"], request.path_params["name"]
    if version != _version() or name not in ASSETS or not ASSETS[name].exists():
        return PlainTextResponse("There is no such file.", status_code=404)
    headers = {
        **SECURE,
        "cache-control": "public, max-age=31536000, immutable",
        "vary": "accept-encoding",
    }
    response = FileResponse(ASSETS[name], headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    content = await asyncio.to_thread(_compressed, name, version)
    headers["content-encoding"] = "gzip"
    return Response(content, headers=headers, media_type=response.media_type)


ROUTES = [
    Route("/graphiql", graphiql_page),
    Route("/graphiql/sign-in", sign_in_page),
    Route("/graphiql/assets/{version}/{name}", asset),
]


def page(
    request: Request, template: str, *, policy: str = POLICY, status: int = 200, **context: object
) -> Response:
    """One of PAGES, with the address of the assets of this version."""
    return templates.TemplateResponse(
        request,
        template,
        {"assets": f"/graphiql/assets/{_version()}", **context},
        status_code=status,
        headers={**SECURE, "content-security-policy": policy, "cache-control": "no-store"},
    )


def _version() -> str:
    """Another one for other assets. Not remembered: GraphiQL may be fetched while we run."""
    digest = hashlib.sha256((node.GRAPHIQL.made() or "").encode())
    for path in OUR_ASSETS:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=len(ASSETS))
def _compressed(name: str, version: str) -> bytes:
    """Each version once: all together cost half a second."""
    return gzip.compress(ASSETS[name].read_bytes(), compresslevel=6)
