"""Request bodies, read within bounds, and JSON responses."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

MOST_BYTES = 256 * 1024


class BadRequest(Exception):
    """A request that can't be understood, with the HTTP status and the code that say why."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence


async def read_body(request: Request, *, most: int = MOST_BYTES) -> bytes:
    """Raises BadRequest (413) without reading more than is allowed."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > most:
            raise BadRequest(413, "PAYLOAD_TOO_LARGE", f"The body is larger than {most} bytes.")
    return bytes(chunks)


async def read_json_object(request: Request, *, most: int = MOST_BYTES) -> dict[str, Any]:
    """Raises BadRequest (400, 413)."""
    return json_object(await read_body(request, most=most))


def json_object(body: bytes) -> dict[str, Any]:
    """Raises BadRequest (400)."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest(400, "BAD_REQUEST", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest(400, "BAD_REQUEST", "The body is not a JSON object.")
    return value


def json_anew(value: object) -> bytes:
    """Of what was read. Raises BadRequest (400) where that is nested too deeply to be written."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise BadRequest(400, "BAD_REQUEST", "The body is nested too deeply.") from None


class JsonResponse(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)
