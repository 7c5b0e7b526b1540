"""POST /graphql in front of a Spoke: what isn't ours is asked there.

It is rewritten from what was read here, so that Spoke can't find another document in it than the
one that was looked through.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from schema.documents import InvalidDocument
from schema.foreign import ForeignDocuments
from server.bodies import MOST_BYTES as LONGEST_DOCUMENT
from server.bodies import BadRequest, json_anew
from server.graphql import (
    DOCUMENTS,
    GRAPHQL_SCHEMA,
    PAYLOAD,
    answer,
    checked_payload,
    content_type,
    read_payload,
    refusal,
)
from server.resources import resources_of
from server.uploads import read_upload, written
from server.upstream import Upstream

FOREIGN = ForeignDocuments(GRAPHQL_SCHEMA, DOCUMENTS)
MOST_BYTES = 10 * 1024 * 1024
"""Spoke's administration sends long lists. The document beside them is no longer than alone: while
one is read, nobody else is served."""


async def graphql(request: Request) -> Response:
    upstream = resources_of(request).upstream
    assert upstream is not None
    try:
        if content_type(request) == "multipart/form-data":
            return await _upload(request, upstream)
        payload = _known(await read_payload(request, most=MOST_BYTES))
        if not FOREIGN.has(payload["query"]):
            return await answer(request, payload)
    except InvalidDocument as invalid:
        return refusal(request, invalid)
    return await upstream.answer_to(request, json_anew(payload), "application/json")


async def _upload(request: Request, upstream: Upstream) -> Response:
    """None of ours takes files. Raises BadRequest, InvalidDocument."""
    upload = await read_upload(request)
    payload = _known(checked_payload(upload.operations))
    if not FOREIGN.has(payload["query"]):
        raise BadRequest(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    return await upstream.answer_to(request, *written(upload._replace(operations=payload)))


def _known(payload: dict[str, Any]) -> dict[str, Any]:
    """What is looked at: by another key, a document could be named that Spoke remembers. Raises
    BadRequest (413)."""
    if len(payload["query"]) > LONGEST_DOCUMENT:
        raise BadRequest(413, "PAYLOAD_TOO_LARGE", "The document is too long: use variables.")
    return {name: payload[name] for name in PAYLOAD if name in payload}
