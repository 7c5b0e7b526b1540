"""What a provider of texts must do, and how handing it a text can end."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class DeliveryStatus(StrEnum):
    """SENT: the provider has it. UNDELIVERED: a carrier took it, and could not deliver it. FAILED:
    it was refused before any carrier took it. NOT_ATTEMPTED: it was never handed over."""

    SENT = "SENT"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    FAILED = "FAILED"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"


@dataclass(frozen=True, slots=True)
class MessagingService:
    """An account at a provider, as Spoke stores it."""

    sid: str
    account_sid: str
    encrypted_auth_token: str


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """A text in a worker's hands. `text`: with the markup of its media, if any. `fence`: how often
    it has been taken in hand; what an earlier hand still brings is told from the last one's by it.
    `accepted_at`: tells it from another that had its id before a backup was restored.
    """

    message_id: int
    fence: int
    cell: str
    text: str
    send_before: datetime
    accepted_at: datetime
    provider: str
    service: MessagingService | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says has become of a text: in answer to it, or later.

    `service_id`: the provider's own id of it. `segments`: as the provider counts them; None where
    it doesn't know yet. `fence`: of the hand that brings the report, if it isn't the provider.
    `accepted_at`: when the text of that id was, if the report doesn't come at once.
    """

    message_id: int
    status: DeliveryStatus
    service_id: str = ""
    segments: int | None = None
    error_code: str | None = None
    response: Mapping[str, Any] = field(default_factory=dict)
    fence: int | None = None
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The provider certainly doesn't have it, and may take it later. `pauses_service`: it would
    take no other text of the messaging service sooner either."""

    reason: str
    retry_after_seconds: float | None = None
    pauses_service: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeUnclear:
    """It may have left, and nobody has said whether it arrived."""

    reason: str


class LookUpFailed(Exception):
    """The provider can't be asked now."""


class Provider(Protocol):
    """`texts_per_second`: most that one worker hands it; None: as many as there are."""

    @property
    def texts_per_second(self) -> float | None: ...

    async def send(self, text: OutgoingText) -> Report | NotSent | OutcomeUnclear:
        """One attempt. Never raises for what the provider or the network does."""
        ...

    async def look_up(self, text: OutgoingText, since: datetime) -> Sequence[Report]:
        """What the provider has that may be this text, handed over at `since` or soon after: the
        same number and body. Raises LookUpFailed."""
        ...

    def sent_since(
        self, service: MessagingService, since: datetime
    ) -> AsyncIterator[Sequence[Report]]:
        """What it has sent since then for this account, by pages, whoever ordered it: by its own
        ids, `message_id` is 0. Raises LookUpFailed."""
        ...
