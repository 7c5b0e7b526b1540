"""A provider for trying out: it takes every text, sends nothing, and reports it as delivered."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from services.providers import DeliveryStatus, MessagingService, OutgoingText, Report
from services.segments import cost_of
from services.settings import Settings

SECONDS_TO_DELIVER = 1.0
REFUSED = "30008"
"""Twilio's code for a failure without a known reason."""


class FakeService:
    """`report` is called with what becomes of a text after it was taken."""

    texts_per_second = None

    def __init__(self, settings: Settings, report: Callable[[Report], None]) -> None:
        self._settings = settings
        self._report = report
        self._under_way: dict[int, tuple[Report, asyncio.TimerHandle]] = {}

    def close(self) -> None:
        """What is under way arrives at once."""
        for message_id in list(self._under_way):
            self._deliver(message_id)

    def _deliver(self, message_id: int) -> None:
        report, timer = self._under_way.pop(message_id)
        timer.cancel()
        self._report(report)

    async def send(self, text: OutgoingText) -> Report:
        service_id = f"fakeservice-{text.message_id}"
        if random.random() < self._settings.fakeservice_failures:
            return Report(
                text.message_id,
                DeliveryStatus.FAILED,
                service_id,
                error_code=REFUSED,
                response={"status": "failed"},
                fence=text.fence,
            )
        delivered = Report(
            text.message_id,
            DeliveryStatus.DELIVERED,
            service_id,
            segments=cost_of(text.text, mms_credits=self._settings.mms_credits).segments,
            response={"status": "delivered"},
        )
        timer = asyncio.get_running_loop().call_later(
            SECONDS_TO_DELIVER, self._deliver, text.message_id
        )
        self._under_way[text.message_id] = delivered, timer
        return Report(
            text.message_id,
            DeliveryStatus.SENT,
            service_id,
            response={"status": "queued"},
            fence=text.fence,
        )

    async def look_up(self, text: OutgoingText, since: datetime) -> Sequence[Report]:
        """It keeps nothing, so there is nothing to find."""
        return []

    async def sent_since(
        self, service: MessagingService, since: datetime
    ) -> AsyncIterator[Sequence[Report]]:
        return
        yield []
