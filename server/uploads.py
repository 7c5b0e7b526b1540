"""Uploads by GraphQL: a form whose first part is the document, and whose last are files.

That Spoke reads the document as we did is made sure of: its part and the next are written anew, and
the form may have them only in their order and without anything that changes their meaning.
Source: the GraphQL multipart request specification.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, NamedTuple

import orjson
from starlette.requests import Request

from server.bodies import BadRequest, json_anew

MOST_BYTES = 1024 * 1024
"""Before the files."""
CONTENT_TYPE = re.compile(
    r"multipart/form-data;\s*boundary=(\"?)([0-9A-Za-z'()+_,./:=?-]{1,70})\1", re.ASCII
)
NOT_UNDERSTOOD = "An upload is a form of operations, map and files, in this order."


class Upload(NamedTuple):
    """`operations`: what a JSON request would be; `map`: into which variables each file belongs;
    `rest`: of the body, behind both."""

    operations: dict[str, Any]
    map: dict[str, Any]
    boundary: str
    rest: AsyncIterator[bytes]


async def read_upload(request: Request) -> Upload:
    """Reads as far as the files. Raises BadRequest (400, 413)."""
    content_type = CONTENT_TYPE.fullmatch(request.headers["content-type"])
    if content_type is None:
        raise _not_understood()
    boundary = content_type[2]
    form = _Form(request.stream(), f"--{boundary}\r\n".encode())
    await form.expect(form.line)
    operations, places = [await form.part(name) for name in ("operations", "map")]
    if not all(_are_variables(named) for named in places.values()):
        raise _not_understood()
    return Upload(operations, places, boundary, form.rest())


def written(upload: Upload) -> tuple[AsyncGenerator[bytes], str]:
    """The form again, and its content type. Raises BadRequest (400)."""
    line = f"--{upload.boundary}\r\n".encode()
    parts = (("operations", upload.operations), ("map", upload.map))
    head = b"".join(line + _heading(name) + json_anew(value) + b"\r\n" for name, value in parts)

    async def chunks() -> AsyncGenerator[bytes]:
        yield head + line
        async for chunk in upload.rest:
            yield chunk

    return chunks(), f'multipart/form-data; boundary="{upload.boundary}"'


class _Form:
    def __init__(self, stream: AsyncIterator[bytes], line: bytes) -> None:
        self.line = line
        self._stream = stream
        self._read = bytearray()
        self._bytes = 0

    async def expect(self, wanted: bytes) -> None:
        while len(self._read) < len(wanted):
            await self._read_on()
        if not self._read.startswith(wanted):
            raise _not_understood()
        del self._read[: len(wanted)]

    async def part(self, name: str) -> dict[str, Any]:
        """A JSON object without a heading of its own. There is a next part."""
        await self.expect(_heading(name))
        end = b"\r\n" + self.line
        while (length := self._read.find(end)) < 0:
            await self._read_on()
        try:
            value = orjson.loads(self._read[:length])
        except orjson.JSONDecodeError:
            raise _not_understood() from None
        if not isinstance(value, dict):
            raise _not_understood()
        del self._read[: length + len(end)]
        return value

    async def _read_on(self) -> None:
        chunk = await anext(self._stream, b"")
        self._bytes += len(chunk)
        if not chunk:
            raise _not_understood()
        if self._bytes > MOST_BYTES:
            raise BadRequest(413, "PAYLOAD_TOO_LARGE", "The operations of the upload are too long.")
        self._read += chunk

    async def rest(self) -> AsyncGenerator[bytes]:
        yield bytes(self._read)
        async for chunk in self._stream:
            yield chunk


def _are_variables(named: object) -> bool:
    """Files may be put nowhere else."""
    return isinstance(named, list) and all(
        isinstance(place, str) and place.startswith("variables.") for place in named
    )


def _heading(name: str) -> bytes:
    """As browsers write it."""
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode()


def _not_understood() -> BadRequest:
    return BadRequest(400, "BAD_REQUEST", NOT_UNDERSTOOD)
