"""Ids on the wire are strings, in the database whole numbers."""

from collections.abc import Sequence

from services.errors import InvalidInput
from services.hand_outs import EVERYBODY

_LARGEST = 2**63 - 1
_LARGEST_OF_SPOKE = 2**31 - 1


def spoke_id(value: str, name: str) -> int:
    """The key of a row of Spoke's. Raises InvalidInput."""
    return _parsed(value, name, _LARGEST_OF_SPOKE)


def optional_spoke_id(value: str | None, name: str) -> int | None:
    return None if value is None else spoke_id(value, name)


def spoke_ids(values: Sequence[str | None] | None, name: str) -> tuple[int, ...]:
    """Without the nulls that Spoke's lists allow."""
    return tuple(spoke_id(value, name) for value in values or () if value is not None)


def group_id(value: str, name: str) -> int:
    """Of a group of texters; -1 is everybody. Raises InvalidInput."""
    return EVERYBODY if value == str(EVERYBODY) else spoke_id(value, name)


def credit_id(value: str, name: str) -> int:
    """The key of a row of ours. Raises InvalidInput."""
    return _parsed(value, name, _LARGEST)


def _parsed(value: str, name: str, largest: int) -> int:
    if value.isascii() and value.isdigit() and len(value) <= 19 and 1 <= int(value) <= largest:
        return int(value)
    raise InvalidInput(f"{name} is not an id.")
