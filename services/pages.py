"""Lists are pages: by limit and offset, or by cursor as Relay has it."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.errors import InvalidInput

MOST_EDGES = 1000


def require_page(limit: int, offset: int, *, most: int) -> None:
    """Raises InvalidInput."""
    if not 1 <= limit <= most:
        raise InvalidInput(f"limit must be from 1 to {most:,}.")
    if offset < 0:
        raise InvalidInput("offset must not be negative.")


async def count_rows(session: AsyncSession, matching: Select[Any]) -> int:
    return await session.scalar(select(func.count()).select_from(matching.subquery())) or 0


@dataclass(frozen=True, slots=True)
class OffsetPage:
    """Where a page stands in a list of `total` rows."""

    limit: int
    offset: int
    total: int

    @property
    def next(self) -> int | None:
        end = self.offset + self.limit
        return end if end < self.total else None

    @property
    def previous(self) -> int | None:
        return max(0, self.offset - self.limit) if self.offset else None


class HasId(Protocol):
    @property
    def id(self) -> int: ...


Node = TypeVar("Node", bound=HasId)


@dataclass(frozen=True, slots=True)
class Edge(Generic[Node]):
    node: Node

    @property
    def cursor(self) -> str:
        return base64.b64encode(str(self.node.id).encode()).decode()


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[Node]):
    edges: Sequence[Edge[Node]]
    total_count: int
    has_next_page: bool
    has_previous_page: bool

    @property
    def page_info(self) -> Self:
        return self

    @property
    def start_cursor(self) -> str | None:
        return self.edges[0].cursor if self.edges else None

    @property
    def end_cursor(self) -> str | None:
        return self.edges[-1].cursor if self.edges else None


def cursor_page(nodes: Sequence[Node], *, after: str | None, first: int | None) -> CursorPage[Node]:
    """The page of `nodes`, which are in the order of their ids. Raises InvalidInput."""
    if first is not None and not 1 <= first <= MOST_EDGES:
        raise InvalidInput(f"first must be from 1 to {MOST_EDGES:,}.")
    start = _id_of(after) if after else 0
    rest = [node for node in nodes if node.id > start]
    edges = [Edge(node) for node in rest[: first or MOST_EDGES]]
    return CursorPage(
        edges=edges,
        total_count=len(nodes),
        has_next_page=len(edges) < len(rest),
        has_previous_page=len(rest) < len(nodes),
    )


def _id_of(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor, validate=True))
    except (ValueError, binascii.Error):
        raise InvalidInput("after is not a cursor.") from None
