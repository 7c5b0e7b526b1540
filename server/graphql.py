"""POST /graphql: one document in, data and coded errors out."""

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, TypeGuard

from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
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
from server.bodies import BadRequest, JsonResponse, read_json_object
from server.request_log import note
from server.resources import Resources, resources_of
from server.sessions import signed_in
from services.errors import OutcomeUnknown

# graphql-core executes strawberry's schema directly: documents are checked by us, once.
GRAPHQL_SCHEMA = schema._schema
DOCUMENTS = Documents(GRAPHQL_SCHEMA)


async def graphql(request: Request) -> Response:
    try:
        payload = await _payload(request)
    except BadRequest as error:
        return coded_answer(request, error.sentence, error.code, error.status)
    try:
        document = DOCUMENTS.get(payload["query"])
    except InvalidDocument as invalid:
        return _answer(request, {"errors": invalid.errors})
    note(request, field=DOCUMENTS.root_field(payload["query"]))
    resources = resources_of(request)
    note(request, operation=(payload.get("operationName") or "")[:100] or None)
    try:
        async with asyncio.timeout(resources.settings.request_timeout_seconds):
            context = await _context(request, resources)
            result = await _executed(document, payload, context)
    except (TimeoutError, asyncio.CancelledError):
        # Cancelled: the server must stop, and has waited for this as long as it may.
        return _answer(request, {"data": None, "errors": [_timed_out(document, payload)]})
    return _answer(request, _body(result, context))


async def _context(request: Request, resources: Resources) -> Context:
    actor = await signed_in(request, resources)
    note(request, user_id=actor.user_id if actor else None)
    return Context(
        settings=resources.settings,
        database=resources.database,
        writer=resources.writer,
        conversations=resources.conversations,
        signed_in=actor,
    )


async def _payload(request: Request) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise BadRequest(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    payload = await read_json_object(request)
    expected = {"query": str, "variables": dict, "operationName": str}
    for name, kind in expected.items():
        if not isinstance(payload.get(name), (kind, type(None))):
            raise BadRequest(400, "BAD_REQUEST", f"{name} is not a {kind.__name__}.")
    if not payload.get("query"):
        raise BadRequest(400, "BAD_REQUEST", "There is no query.")
    return payload


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
        is_awaitable=_is_awaitable,
    )
    return await result if inspect.isawaitable(result) else result


def _is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    """Asked twice for each field. graphql-core's own also knows coroutines made of generators."""
    return hasattr(value, "__await__")


def _body(result: ExecutionResult, context: Context) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = formatted(result.errors, after_write=context.has_written)
    return body


def _timed_out(document: DocumentNode, payload: dict[str, Any]) -> dict[str, Any]:
    """Of a mutation nobody knows how far it came."""
    operation = get_operation_ast(document, payload.get("operationName"))
    if operation is not None and operation.operation is OperationType.MUTATION:
        return _error(OutcomeUnknown.sentence, OutcomeUnknown.code)
    return _error("The request took too long.", "TIMEOUT")


def _error(sentence: str, code: str) -> dict[str, Any]:
    return {"message": sentence, "extensions": {"code": code}}


def coded_answer(request: Request, sentence: str, code: str, status: int) -> Response:
    """An answer that is nothing but an error."""
    return _answer(request, {"errors": [_error(sentence, code)]}, status)


def _answer(request: Request, body: dict[str, Any], status: int = 200) -> Response:
    if "errors" in body:
        note(request, codes=codes(body["errors"]))
    return JsonResponse(body, status_code=status)
