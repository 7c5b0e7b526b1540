"""POST /graphql: one document in, data and coded errors out."""

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, TypeGuard

from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLFormattedError,
    OperationType,
    execute,
    get_operation_ast,
)
from starlette.requests import Request
from starlette.responses import Response

from resolvers.context import Context
from schema.build import schema
from schema.documents import Documents, InvalidDocument
from schema.errors import codes, formatted
from server.bodies import MOST_BYTES, BadRequest, JsonResponse, read_json_object
from server.request_log import note
from server.resources import Resources, resources_of
from server.sessions import actor_of, sign_in_of
from services.access import Actor
from services.errors import OutcomeUnknown
from services.sessions import SignIn

# graphql-core executes strawberry's schema directly: documents are checked by us, once.
GRAPHQL_SCHEMA = schema._schema
DOCUMENTS = Documents(GRAPHQL_SCHEMA)
PAYLOAD = {"query": str, "variables": dict, "operationName": str}
SUBSCRIBE_ELSEWHERE = "Subscriptions go over WebSocket, in the protocol graphql-transport-ws."


async def graphql(request: Request) -> Response:
    try:
        payload = await read_payload(request)
    except BadRequest as error:
        return coded_answer(request, error.sentence, error.code, error.status)
    return await answer(request, payload)


async def answer(request: Request, payload: dict[str, Any]) -> Response:
    try:
        document = DOCUMENTS.get(payload["query"])
    except InvalidDocument as invalid:
        return refusal(request, invalid)
    note(request, field=DOCUMENTS.root_field(payload["query"]))
    kind = _kind(document, payload)
    if kind is OperationType.SUBSCRIPTION:
        return coded_answer(request, SUBSCRIBE_ELSEWHERE, "BAD_REQUEST", 400)
    resources = resources_of(request)
    note(request, operation=named(payload))
    try:
        async with asyncio.timeout(resources.settings.request_timeout_seconds):
            sign_in = sign_in_of(request, resources)
            actor = await actor_of(sign_in, resources)
            note(request, user_id=actor.user_id if actor else None)
            context = make_context(resources, actor, sign_in)
            result = await _executed(document, payload, context)
    except (TimeoutError, asyncio.CancelledError):
        # Cancelled: the server must stop, and has waited for this as long as it may.
        return _answer(request, {"data": None, "errors": [timed_out(kind)]})
    return _answer(request, body_of(result, context))


def make_context(resources: Resources, actor: Actor | None, sign_in: SignIn | None) -> Context:
    return Context(
        settings=resources.settings,
        database=resources.database,
        writer=resources.writer,
        conversations=resources.conversations,
        live=resources.live,
        sign_in=sign_in,
        signed_in=actor,
    )


async def read_payload(request: Request, *, most: int = MOST_BYTES) -> dict[str, Any]:
    """Raises BadRequest (400, 413, 415)."""
    if content_type(request) != "application/json":
        raise BadRequest(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    return checked_payload(await read_json_object(request, most=most))


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def checked_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """Raises BadRequest (400)."""
    for name, kind in PAYLOAD.items():
        if not isinstance(payload.get(name), (kind, type(None))):
            raise BadRequest(400, "BAD_REQUEST", f"{name} is not a {kind.__name__}.")
    if not payload.get("query"):
        raise BadRequest(400, "BAD_REQUEST", "There is no query.")
    return payload


def named(payload: dict[str, Any]) -> str | None:
    """What the client calls it, for the log."""
    return (payload.get("operationName") or "")[:100] or None


async def _executed(
    document: DocumentNode, payload: dict[str, Any], context: Context
) -> ExecutionResult:
    result = execute(
        GRAPHQL_SCHEMA,
        document,
        context_value=context,
        variable_values=payload.get("variables"),
        operation_name=payload.get("operationName"),
        executor_class=Executor,  # answers come whole: the default one could also stream them
        is_awaitable=is_awaitable,
    )
    return await result if inspect.isawaitable(result) else result


def is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    """Asked twice for each field. graphql-core's own also knows coroutines made of generators."""
    return hasattr(value, "__await__")


def body_of(result: ExecutionResult, context: Context) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = formatted(result.errors, after_write=context.has_written)
    return body


def _kind(document: DocumentNode, payload: dict[str, Any]) -> OperationType | None:
    """Of the operation that is to be executed; None if it can't be told."""
    operation = get_operation_ast(document, payload.get("operationName"))
    return operation.operation if operation else None


def timed_out(kind: OperationType | None) -> GraphQLFormattedError:
    """Of a mutation nobody knows how far it came."""
    if kind is OperationType.MUTATION:
        return coded(OutcomeUnknown.sentence, OutcomeUnknown.code)
    return coded("The request took too long.", "TIMEOUT")


def coded(sentence: str, code: str) -> GraphQLFormattedError:
    return {"message": sentence, "extensions": {"code": code}}


def refusal(request: Request, invalid: InvalidDocument) -> Response:
    return _answer(request, {"errors": invalid.errors})


def coded_answer(request: Request, sentence: str, code: str, status: int) -> Response:
    """An answer that is nothing but an error."""
    return _answer(request, {"errors": [coded(sentence, code)]}, status)


def _answer(request: Request, body: dict[str, Any], status: int = 200) -> Response:
    if "errors" in body:
        note(request, codes=codes(body["errors"]))
    return JsonResponse(body, status_code=status)
