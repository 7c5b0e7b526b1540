"""What SendGrid reports of the mail of notices: how far each has come.

Reports come late, twice and in any order. Each is kept once, and a notice only moves on, so that
the order makes no difference. A mail may be delivered and come back hours later: BOUNCED is last.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from itsdangerous import BadSignature, Signer
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.notices import CreditNotice, CreditNoticeEvent
from services.notices import NoticeState

STATES = {
    "processed": NoticeState.SENT,
    "deferred": NoticeState.SENT,
    "dropped": NoticeState.DROPPED,
    "delivered": NoticeState.DELIVERED,
    "bounce": NoticeState.BOUNCED,
}
"""By the kinds of events that matter."""
_NOT_ARRIVED = (NoticeState.DROPPED, NoticeState.BOUNCED)
_ORDER = (NoticeState.SENT, NoticeState.DROPPED, NoticeState.DELIVERED, NoticeState.BOUNCED)


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """`address`: whom the mail was for, in any case. `reason`: why it didn't get on."""

    id: str
    notice_id: int
    address: str
    kind: str
    happened_at: datetime
    provider_message_id: str | None
    reason: str | None


def signed_notice_id(notice_id: int, secret: str) -> str:
    """What a mail takes along, and its reports bring back."""
    return _signer(secret).sign(str(notice_id)).decode()


def verified_notice_id(signed: str, secret: str) -> int | None:
    """None where the signature is not ours: another installation, such as one for staging, may use
    the same account, and count its notices as we do."""
    try:
        return int(_signer(secret).unsign(signed.encode()))
    except BadSignature:
        return None


def _signer(secret: str) -> Signer:
    return Signer(secret, salt="credit-notice", key_derivation="hmac", digest_method=hashlib.sha256)


async def record_events(session: AsyncSession, events: Sequence[NoticeEvent]) -> None:
    """Those of notices that are not there, or were never attempted, are passed over."""
    # In an order that all share, so that two reports of the same mails can't deadlock.
    for event in sorted(events, key=lambda event: (event.notice_id, event.id)):
        notice = await _locked_notice(session, event)
        if notice is not None and await _is_news(session, event):
            _move_on(notice, event)


async def _locked_notice(session: AsyncSession, event: NoticeEvent) -> CreditNotice | None:
    notice: CreditNotice | None = await session.scalar(
        select(CreditNotice)
        .where(
            CreditNotice.id == event.notice_id,
            CreditNotice.address == event.address.lower(),
            CreditNotice.attempts > 0,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return notice


async def _is_news(session: AsyncSession, event: NoticeEvent) -> bool:
    kept = await session.scalar(
        insert(CreditNoticeEvent)
        .values(
            sg_event_id=event.id,
            notice_id=event.notice_id,
            kind=event.kind,
            reason=event.reason,
            happened_at=event.happened_at,
        )
        .on_conflict_do_nothing()
        .returning(CreditNoticeEvent.sg_event_id)
    )
    return kept is not None


def _move_on(notice: CreditNotice, event: NoticeEvent) -> None:
    state = STATES[event.kind]
    notice.sent_at = notice.sent_at or event.happened_at
    notice.provider_message_id = notice.provider_message_id or event.provider_message_id
    if state is NoticeState.DELIVERED:
        notice.delivered_at = event.happened_at
    if _place(state) > _place(notice.state):
        notice.state = state
        notice.error = event.reason if state in _NOT_ARRIVED else None


def _place(state: str) -> int:
    """Whatever we thought ourselves comes before what SendGrid reports."""
    return _ORDER.index(NoticeState(state)) if state in _ORDER else -1
