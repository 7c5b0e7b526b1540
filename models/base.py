"""What all tables share."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, FetchedValue, Identity, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

NOW = text("now()")


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[type, TypeEngine[Any]]] = {
        datetime: DateTime(timezone=True),
        str: Text(),
    }


def created_at() -> Mapped[datetime]:
    return mapped_column(server_default=NOW)


def updated_at() -> Mapped[datetime | None]:
    """Kept by a trigger in Spoke's tables."""
    return mapped_column(server_default=NOW, server_onupdate=FetchedValue())


def identity() -> Mapped[int]:
    """The key of our own tables; ids are never assumed to be dense."""
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)
