"""Fields whose resolver returns a row or a snapshot: strawberry reads the attributes it needs."""

from collections.abc import Callable
from typing import Any

import strawberry


def field(resolver: Callable[..., Any], description: str | None = None) -> Any:
    """The type is the one annotated on the class. Any, since a row isn't that type to mypy."""
    return strawberry.field(resolver=resolver, description=description)


def plain(description: str) -> Any:
    """An attribute of the source, with a description."""
    return strawberry.field(description=description)


def subscription(resolver: Callable[..., Any], description: str) -> Any:
    """Its resolver returns the events; each is what the field resolves to."""
    return strawberry.subscription(resolver=resolver, description=description)
