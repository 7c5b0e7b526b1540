"""Values on the wire that GraphQL has no type for."""

import re
from datetime import UTC, datetime
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

MOST_EXACT = 2**53
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")

BigInt = NewType("BigInt", int)
Date = NewType("Date", datetime)
Phone = NewType("Phone", str)
JSON = NewType("JSON", str)


def _exact(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MOST_EXACT:
        raise GraphQLError("BigInt is a whole number from -2^53 to 2^53.")
    return value


def _iso(value: datetime) -> str:
    """Milliseconds and Z, as JavaScript prints dates."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _date(value: object) -> datetime:
    try:
        date = datetime.fromisoformat(str(value))
    except ValueError:
        raise GraphQLError("Date is an ISO 8601 date and time.") from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _phone(value: object) -> str:
    if not isinstance(value, str) or not _E164.fullmatch(value):
        raise GraphQLError("Phone is a number in E.164 form, such as +12025550123.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole JSON number up to 2^53: sums of credits outgrow 32 bits.",
        serialize=_exact,
        parse_value=_exact,
    ),
    Date: strawberry.scalar(
        name="Date",
        description="A moment in UTC, as 2026-11-22T12:18:42.252Z. Any ISO 8601 form is taken.",
        serialize=_iso,
        parse_value=_date,
    ),
    Phone: strawberry.scalar(
        name="Phone",
        description="A telephone number in E.164 form, such as +12025550123.",
        serialize=str,
        parse_value=_phone,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="JSON as a string, to be parsed by the client.",
        serialize=str,
        parse_value=str,
    ),
}
