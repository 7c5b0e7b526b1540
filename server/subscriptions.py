"""WebSocket /graphql: subscriptions, in the protocol graphql-transport-ws.

Documents are checked, executed and answered as those that are posted; queries and mutations are
posted. A browser sends our cookie along whichever page connects: so it is asked which page it is.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import orjson
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLFormattedError,
    OperationType,
    create_source_event_stream,
    execute_subscription_event,
)
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from schema.documents import InvalidDocument
from schema.errors import codes, formatted
from server.bodies import BadRequest
from server.graphql import (
    DOCUMENTS,
    GRAPHQL_SCHEMA,
    body_of,
    checked_payload,
    coded,
    is_awaitable,
    make_context,
    timed_out,
)
from server.request_log import note
from server.resources import Resources, resources_of
from server.sessions import bearer_of, sign_in_of
from services.access import Actor
from services.errors import Forbidden, NotAuthenticated, ServiceUnavailable
from services.live import Event
from services.metrics import WEBSOCKETS
from services.sessions import SignIn
from services.settings import Settings

PROTOCOL = "graphql-transport-ws"
MOST_BYTES = 64 * 1024
"""In a message."""
MOST_SUBSCRIPTIONS = 50
"""Of a connection."""
MOST_OF_A_PERSON = 50
"""Connections to this process."""
MOST_CODES = 20
"""Of refusals, in the log."""
SECONDS_TO_INTRODUCE = 5.0
SECONDS_TO_SEND = 10.0
"""After which somebody who reads nothing is given up."""

Message: TypeAlias = dict[str, Any]


class _Violation(Exception):
    """Why we hang up, as the protocol numbers it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Refused(Exception):
    """Why there is nothing to subscribe to."""

    def __init__(self, errors: list[GraphQLFormattedError]) -> None:
        super().__init__()
        self.errors = errors


async def subscriptions(websocket: WebSocket) -> None:
    resources = resources_of(websocket)
    if not is_from_here(websocket, resources.settings):
        note(websocket, codes=[Forbidden.code])
        await websocket.close()  # not accepted, that is a 403
    elif PROTOCOL not in websocket.scope["subprotocols"]:
        await websocket.accept()
        await websocket.close(4406, "Subprotocol not acceptable")
    else:
        await websocket.accept(PROTOCOL)
        await _Socket(websocket, resources).talk()


def is_from_here(connection: HTTPConnection, settings: Settings) -> bool:
    """Only browsers tell an origin."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    own = (connection.headers.get("host", ""), urlsplit(settings.address).netloc)
    return host != "" and host in [name.lower() for name in own]


class _Socket:
    """A connection: one task listens, and each subscription has one that tells."""

    def __init__(self, websocket: WebSocket, resources: Resources) -> None:
        self._websocket = websocket
        self._resources = resources
        self._sign_in: SignIn | None = None
        self._actor: Actor | None = None
        self._tasks = asyncio.TaskGroup()
        self._subscriptions: dict[str, asyncio.Task[None]] = {}
        self._codes: list[str] = []

    async def talk(self) -> None:
        """Until one of us hangs up."""
        try:
            async with self._tasks:
                await self._listen()
        except* WebSocketDisconnect:
            pass
        except* _Violation as violations:
            await self._hang_up(violations.exceptions[0])
        finally:
            self._depart()
            note(self._websocket, codes=self._codes)

    async def _listen(self) -> None:
        deadline = asyncio.get_running_loop().time() + SECONDS_TO_INTRODUCE
        while True:
            try:
                async with asyncio.timeout_at(None if self._actor else deadline):
                    message = await self._message()
            except TimeoutError:
                raise _Violation(4408, "Connection initialisation timeout") from None
            await self._handle(message)

    async def _message(self) -> Message:
        received = await self._websocket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received["code"])
        try:
            message = orjson.loads(received.get("text") or "")
        except orjson.JSONDecodeError:
            raise _Violation(4400, "A message is not JSON text.") from None
        if not isinstance(message, dict):
            raise _Violation(4400, "A message is not a JSON object.")
        return message

    async def _handle(self, message: Message) -> None:
        match message:
            case {"type": "ping"}:
                await self._send({"type": "pong"})
            case {"type": "pong"}:
                pass
            case {"type": "connection_init"}:
                await self._introduce(message.get("payload"))
            case {"type": "subscribe", "id": str(name), "payload": dict(payload)}:
                await self._subscribe(name, payload)
            case {"type": "complete", "id": str(name)}:
                self._unsubscribe(name)
            case _:
                raise _Violation(4400, "A message has no meaning.")

    async def _introduce(self, payload: object) -> None:
        if self._actor:
            raise _Violation(4429, "Too many initialisation requests")
        if not isinstance(payload, dict | None):
            raise _Violation(4400, "The payload of connection_init is not an object.")
        given = {name.lower(): value for name, value in (payload or {}).items()}
        sign_in = bearer_of(str(given.get("authorization", "")))
        sign_in = sign_in or sign_in_of(self._websocket, self._resources)
        try:
            actor = await self._resources.sign_ins.ask(sign_in) if sign_in else None
        except ServiceUnavailable as error:
            raise _Violation(1013, str(error)) from None
        if actor is None:
            raise _Violation(4401, NotAuthenticated.sentence)
        self._arrive(actor)
        self._sign_in = sign_in
        await self._send({"type": "connection_ack"})

    def _arrive(self, actor: Actor) -> None:
        connected = self._resources.connected
        if connected.total() >= self._resources.settings.max_websockets:
            raise _Violation(1013, "This server has too many connections.")
        if connected[actor.user_id] >= MOST_OF_A_PERSON:
            raise _Violation(4403, "You have too many connections.")
        connected[actor.user_id] += 1
        WEBSOCKETS.inc()
        self._actor = actor
        note(self._websocket, user_id=actor.user_id)

    def _depart(self) -> None:
        if self._actor:
            connected, user_id = self._resources.connected, self._actor.user_id
            connected[user_id] -= 1
            if not connected[user_id]:
                del connected[user_id]
            WEBSOCKETS.dec()

    async def _subscribe(self, name: str, payload: Message) -> None:
        if self._actor is None:
            raise _Violation(4401, "Unauthorized")
        if name in self._subscriptions:
            raise _Violation(4409, "A subscriber with this id already exists")
        try:
            checked_payload(payload)
        except BadRequest as error:
            raise _Violation(4400, error.sentence) from None
        if len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            sentence = f"A connection has at most {MOST_SUBSCRIPTIONS} subscriptions."
            await self._refuse(name, [coded(sentence, "TOO_MANY_SUBSCRIPTIONS")])
        else:
            self._subscriptions[name] = self._tasks.create_task(self._serve(name, payload))

    def _unsubscribe(self, name: str) -> None:
        if task := self._subscriptions.pop(name, None):
            task.cancel()

    async def _serve(self, name: str, payload: Message) -> None:
        try:
            async with aclosing(self._answers(payload)) as answers:
                async for answer in answers:
                    await self._send({"id": name, "type": "next", "payload": answer})
        except WebSocketDisconnect:
            raise
        except Exception as error:
            del self._subscriptions[name]
            await self._refuse(name, _errors(error))
        else:
            del self._subscriptions[name]
            await self._send({"id": name, "type": "complete"})

    async def _answers(self, payload: Message) -> AsyncGenerator[Message, None]:
        """Raises InvalidDocument, _Refused, and what the service raises."""
        executor = Executor.build(
            GRAPHQL_SCHEMA,
            DOCUMENTS.get(payload["query"]),
            context_value=make_context(self._resources, self._actor, self._sign_in),
            raw_variable_values=payload.get("variables"),
            operation_name=payload.get("operationName"),
            is_awaitable=is_awaitable,
        )
        if not isinstance(executor, Executor):
            raise _Refused(formatted(executor))
        if executor.operation.operation is not OperationType.SUBSCRIPTION:
            raise _Refused([coded("Queries and mutations are posted.", "BAD_REQUEST")])
        events = create_source_event_stream(executor)
        if inspect.isawaitable(events):
            events = await events
        if isinstance(events, ExecutionResult):
            raise _Refused(formatted(events.errors or []))
        async with aclosing(cast(AsyncGenerator[Event, None], events)) as told:
            async for event in told:
                yield await self._answer(executor, event)

    async def _answer(self, executor: Executor[Any], event: Event) -> Message:
        """With a context of its own: what is loaded for an event is not for the next one."""
        context = make_context(self._resources, event.actor, self._sign_in)
        execution = executor.build_per_event_executor(event.told)
        execution.context_value = context
        try:
            async with asyncio.timeout(self._resources.settings.request_timeout_seconds):
                result = execute_subscription_event(execution)
                result = await result if inspect.isawaitable(result) else result
        except TimeoutError:
            return {"data": None, "errors": [timed_out(OperationType.SUBSCRIPTION)]}
        return body_of(result, context)

    async def _refuse(self, name: str, errors: list[GraphQLFormattedError]) -> None:
        self._codes = [*self._codes, *codes(errors)][-MOST_CODES:]
        await self._send({"id": name, "type": "error", "payload": errors})

    async def _send(self, message: Message) -> None:
        """Raises WebSocketDisconnect too if it isn't taken."""
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                await self._websocket.send_text(orjson.dumps(message).decode())
        except (TimeoutError, WebSocketDisconnected):  # or another subscription has found out
            raise WebSocketDisconnect(1006) from None

    async def _hang_up(self, violation: Exception) -> None:
        assert isinstance(violation, _Violation)
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected, TimeoutError):
            async with asyncio.timeout(SECONDS_TO_SEND):
                await self._websocket.close(violation.code, violation.reason)


def _errors(error: Exception) -> list[GraphQLFormattedError]:
    if isinstance(error, InvalidDocument | _Refused):
        return error.errors
    return formatted([GraphQLError(str(error), original_error=error)])
