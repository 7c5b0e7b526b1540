"""The ASGI application: its routes, and what it opens and closes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import psycopg
import sqlalchemy.exc
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from server import exports, graphiql, health, running_low_mail, sign_in, webhooks
from server.bodies import BadRequest
from server.console import Console
from server.elsewhere import Elsewhere
from server.graphql import coded_answer
from server.request_log import RequestLog
from server.resources import open_resources
from server.sendgrid_events import sendgrid_events
from server.subscriptions import subscriptions
from services.errors import (
    Forbidden,
    NotAuthenticated,
    NotFound,
    ServiceError,
    ServiceUnavailable,
    UpstreamUnavailable,
)
from services.mutes import MUTE_PATH
from services.settings import Settings
from services.twilio_signatures import REPORTS


def create_app(settings: Settings, *, url: str, secret: str) -> Starlette:
    """`url`: of the database; `secret`: signs the session cookie."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_resources(settings, url, secret) as resources:
            app.state.resources = resources
            yield

    elsewhere = Elsewhere(settings)
    app = Starlette(
        routes=[
            WebSocketRoute("/graphql", subscriptions),
            Route("/login-callback", sign_in.login_callback, methods=["POST"]),
            Route("/logout-callback", sign_in.logout_callback),
            Route(REPORTS, webhooks.message_report, methods=["POST"]),
            Route("/sendgrid-events", sendgrid_events, methods=["POST"]),
            Route(MUTE_PATH, running_low_mail.show, methods=["GET"]),
            Route(MUTE_PATH, running_low_mail.choose, methods=["POST"]),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            *exports.ROUTES,
            *graphiql.ROUTES,
            *Console().routes,
            *elsewhere.routes,
        ],
        middleware=[Middleware(RequestLog, spoke_version=settings.spoke_version)],
        exception_handlers={
            HTTPException: _refused,
            BadRequest: _bad_request,
            ServiceError: _refused_by_service,
            ServiceUnavailable: _unavailable,
            psycopg.OperationalError: _unavailable,
            sqlalchemy.exc.OperationalError: _unavailable,
            sqlalchemy.exc.TimeoutError: _unavailable,
        },
        lifespan=lifespan,
    )
    app.router.default = elsewhere
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """No such address, or not by this method."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name
    response = coded_answer(request, error.detail, code, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return coded_answer(request, error.sentence, error.code, error.status)


async def _refused_by_service(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    status = _STATUSES.get(type(error), 400)
    return coded_answer(request, str(error), error.code, status)


_STATUSES: dict[type[ServiceError], int] = {
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    UpstreamUnavailable: 502,
}


async def _unavailable(request: Request, error: Exception) -> Response:
    """The database didn't answer when it had to tell who is asking."""
    return coded_answer(request, ServiceUnavailable.sentence, ServiceUnavailable.code, 503)
