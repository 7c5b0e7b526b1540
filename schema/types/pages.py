"""How lists say where they stand."""

import strawberry

from schema.fields import plain


@strawberry.type(description="Where a page of a list stands, by offset.")
class PageInfo:
    limit: int = plain("The most rows that this page could hold.")
    offset: int = plain("How many rows come before it.")
    total: int = plain("How many rows the whole list has.")
    next: int | None = plain("The offset of the next page; null on the last.")
    previous: int | None = plain("The offset of the page before; null on the first.")


@strawberry.type(description="Where a page of a list stands, by cursor.")
class RelayPageInfo:
    total_count: int = plain("How many rows the whole list has.")
    has_next_page: bool = plain("Whether rows come after this page.")
    has_previous_page: bool = plain("Whether rows come before it.")
    start_cursor: str | None = plain("The cursor of its first row.")
    end_cursor: str | None = plain("The cursor of its last row.")
