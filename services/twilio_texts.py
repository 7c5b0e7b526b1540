"""What Twilio says of texts, in our words."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from services.errors import InvalidInput
from services.inbound_texts import InboundText
from services.providers import DeliveryStatus, Report
from services.twilio_signatures import ReportedText

# `failed` is Twilio's own refusal, or a text that never left its queue; where a carrier has taken a
# text, its end is `undelivered`. Everything else that is not the end means that Twilio has it.
_STATUSES = {
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.DELIVERED,
    "undelivered": DeliveryStatus.UNDELIVERED,
    "failed": DeliveryStatus.FAILED,
    "canceled": DeliveryStatus.FAILED,
}
_KEPT = (
    "sid",
    "status",
    "num_segments",
    "error_code",
    "error_message",
    "from",
    "messaging_service_sid",
    "date_created",
    "date_sent",
)
LONGEST_KEPT = 1000
"""Characters of what is kept of an answer."""
TRIAL = "Sent from your Twilio trial account - "
"""What stands before the texts of an account that nobody pays for."""
LONGEST_REPLACEMENT = 3
"""Letters and digits that Smart Encoding may put for one character."""

# What of Smart Encoding the decomposition of Unicode doesn't do by itself: small capitals become
# letters, and a letter that looks like one an exclamation mark. Marks on their own it turns into
# punctuation, and letters that only modify others too.
# Source: SmartEncodingMap of Twilio's message-segment-calculator.
_SMART_LETTERS = {
    ord(unicodedata.lookup(f"LATIN LETTER SMALL CAPITAL {letter}")): letter
    for letter in "ABCDEFGHIJKLMNOPRSTUVWYZ"
} | {0x01C3: "!"}


def report_of_resource(
    resource: Mapping[str, Any], message_id: int, *, fence: int | None = None
) -> Report:
    """`resource`: a message as Twilio's API shows it."""
    return Report(
        message_id,
        delivery_status(resource.get("status")),
        str(resource["sid"]),
        segments=segments(resource.get("num_segments")),
        error_code=_code(resource.get("error_code")),
        response={name: resource[name] for name in _KEPT if resource.get(name) is not None},
        fence=fence,
    )


def report_of_callback(form: Mapping[str, str], text: ReportedText) -> Report:
    return Report(
        text.message_id,
        delivery_status(form.get("MessageStatus") or form.get("SmsStatus")),
        form.get("MessageSid") or form.get("SmsSid", ""),
        segments=segments(form.get("NumSegments")),
        error_code=_code(form.get("ErrorCode")),
        response={name: value[:LONGEST_KEPT] for name, value in form.items()},
        accepted_at=text.accepted_at,
    )


def inbound_text(form: Mapping[str, str]) -> InboundText:
    """Raises InvalidInput for what is no text from somebody."""
    form = {name: value.replace("\0", "") for name, value in form.items()}
    if not (form.get("MessageSid") and form.get("From") and form.get("MessagingServiceSid")):
        raise InvalidInput("This is not a text that came in by a messaging service.")
    return InboundText(
        service_id=form["MessageSid"],
        messaging_service_sid=form["MessagingServiceSid"],
        cell=form["From"],
        number=form.get("To", ""),
        body=form.get("Body", ""),
        segments=segments(form.get("NumSegments")) or 1,
        media_urls=tuple(url for name, url in form.items() if name.startswith("MediaUrl")),
        says_stop=form.get("OptOutType") == "STOP",
        response=form,
    )


def delivery_status(word: object) -> DeliveryStatus:
    return _STATUSES.get(str(word), DeliveryStatus.SENT)


def segments(count: object) -> int | None:
    """ "0" until Twilio knows from which number it sends the text."""
    number = str(count)
    return int(number) or None if re.fullmatch(r"[0-9]{1,4}", number) else None


def _code(code: object) -> str | None:
    return str(code)[:20] if code else None


def is_same_body(ours: str, theirs: str) -> bool:
    """Whether Twilio's body may be ours: it may have put plainer characters into it, trimmed it,
    put something before it, or have been told to forget it. In doubt it is."""
    theirs_plain, ours_plain = _plain(theirs.removeprefix(TRIAL)), _plain(ours)
    if not theirs or theirs_plain == ours_plain:
        return True
    is_its_end = bool(ours_plain) and theirs_plain.endswith(ours_plain)
    return is_its_end or _may_have_become(ours, theirs_plain)


def _plain(body: str) -> str:
    """Its letters and digits of any alphabet, without accents, as far as Smart Encoding leaves
    them."""
    body = unicodedata.normalize("NFKD", body.translate(_SMART_LETTERS)).casefold()
    return "".join(c for c in body if c.isalnum() and unicodedata.category(c) != "Lm")


def _may_have_become(ours: str, theirs_plain: str) -> bool:
    """By replacements that we don't know of: nothing but characters beyond ASCII is replaced, so
    the others are still there, in their order. Says no where they are the smaller part."""
    kept = [c.lower() for c in ours if c.isascii() and c.isalnum()]
    replaced = sum(not c.isascii() for c in ours)
    if not len(kept) >= replaced > 0:
        return False
    rest = iter(theirs_plain)
    longest = len(kept) + LONGEST_REPLACEMENT * replaced
    return len(theirs_plain) <= longest and all(c in rest for c in kept)
