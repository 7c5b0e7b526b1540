"""Every error leaves with extensions.code; what nobody foresaw leaves without its details."""

from collections.abc import Sequence
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLFormattedError

from services.errors import OutcomeUnknown, ServiceError, ServiceUnavailable

log = structlog.get_logger(__name__)

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
MIXED_DOCUMENT = "MIXED_DOCUMENT"
BAD_USER_INPUT = "BAD_USER_INPUT"
INTERNAL = "INTERNAL_SERVER_ERROR"
MASKED = "Something went wrong on our side. It has been noted."


def formatted(
    errors: Sequence[GraphQLError], *, code: str = BAD_USER_INPUT, after_write: bool = False
) -> list[GraphQLFormattedError]:
    """`code`: for errors that GraphQL itself found, such as a variable of the wrong type.

    `after_write`: the request has committed something, so that what could not be read for the
    answer must not say that nothing was changed. It is said of all of the request.
    """
    return [_formatted(error, code, after_write) for error in errors]


def _formatted(error: GraphQLError, code: str, after_write: bool) -> GraphQLFormattedError:
    cause = error.original_error
    if isinstance(cause, ServiceUnavailable) and after_write:
        unknown = OutcomeUnknown()
        return {**error.formatted, "message": str(unknown), "extensions": unknown.extensions}
    if isinstance(cause, ServiceError):
        return error.formatted
    if cause is None or isinstance(cause, GraphQLError):
        return {**error.formatted, "extensions": {"code": code}}
    log.error("unforeseen_error", path=error.path, exc_info=cause)
    masked: GraphQLFormattedError = {
        **error.formatted,
        "message": MASKED,
        "extensions": {"code": INTERNAL},
    }
    return masked


def codes(errors: Sequence[Any]) -> list[str]:
    return [error["extensions"]["code"] for error in errors]
