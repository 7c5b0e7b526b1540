"""A script with its fields filled in, the way Spoke's client does before a texter sends.

Where the rules come from: Spoke v10.4's texter page and its lib/scripts.ts.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from services.texts import well_formed

LONGEST = 20_000
"""Characters beyond which nothing more is filled in: fields may name each other, and so grow
without end. MAX_MESSAGE_LENGTH refuses far earlier."""
AS_WRITTEN = ("friend", "there")
"""First names that stand for no name, and keep their case."""

# White space that JavaScript trims: Python's own differs.
_SPACE = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
_SPACE += "\u2028\u2029\u202f\u205f\u3000\ufeff"
# In what is put in, JavaScript reads these as a dollar sign, and as the field itself.
_DOLLARS = re.compile(r"\$([$&])")


class Recipient(NamedTuple):
    """A contact, and whoever texts it. `custom_fields`: JSON, as stored."""

    first_name: str
    last_name: str
    cell: str
    zip: str
    external_id: str
    custom_fields: str
    texter_first_name: str
    texter_last_name: str


class Variable(NamedTuple):
    """`name`: with its `cv:`."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Script:
    """What begins a conversation. One of the `options` is chosen at random for each contact; those
    that are blank can't be sent and count for nothing. `custom_fields`: the names that the
    campaign's contacts have."""

    options: Sequence[str]
    custom_fields: Sequence[str] = ()
    variables: Sequence[Variable] = ()


def fill_in(option: str, script: Script, recipient: Recipient | None) -> str:
    """Field after field, in this order, so that what is put in may name a later one. A field that
    nobody knows stays as it is written, and so does a variable without a value. Without a
    recipient all of theirs do."""
    text = _personal(option, script, recipient) if recipient else option
    for name, value in script.variables:
        if value and (token := f"{{{name}}}") in text:
            text = _put_in(text, token, value)
    return text


def _personal(text: str, script: Script, recipient: Recipient) -> str:
    for token, value_of in _FIELDS.items():
        if token in text:
            text = _put_in(text, token, value_of(recipient))
    for field in script.custom_fields:
        if (token := f"{{{field}}}") in text:
            known = _FIELDS.get(token)
            text = _put_in(text, token, known(recipient) if known else _custom(recipient, field))
    return text


def title_case(name: str) -> str:
    """Words are what stands between spaces: Mary-ann, O'neill, Mcdonald."""
    words = name.strip(_SPACE).split(" ")
    return " ".join(word[:1].upper() + word[1:].lower() for word in words)


def _first_name(recipient: Recipient) -> str:
    name = recipient.first_name
    return name if name.lower() in AS_WRITTEN else title_case(name)


_FIELDS: dict[str, Callable[[Recipient], str]] = {
    "{firstName}": _first_name,
    "{lastName}": lambda recipient: title_case(recipient.last_name),
    "{cell}": lambda recipient: recipient.cell,
    "{zip}": lambda recipient: recipient.zip,
    "{external_id}": lambda recipient: recipient.external_id,
    "{texterFirstName}": lambda recipient: title_case(recipient.texter_first_name),
    "{texterLastName}": lambda recipient: title_case(recipient.texter_last_name),
}


def read_custom_fields(stored: str) -> dict[str, Any]:
    """None where it is no object. By the standard library: Spoke cuts texts between the halves of
    an emoji and writes what is left as an escape, which other parsers refuse."""
    try:
        found = json.loads(stored)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _custom(recipient: Recipient, field: str) -> str:
    """JavaScript's word for what isn't there, where the campaign's first contact had it."""
    fields = read_custom_fields(recipient.custom_fields)
    if field not in fields:
        return "undefined"
    value = fields[field]
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return well_formed(value)


def _put_in(text: str, token: str, value: str) -> str:
    longest_value = len(value) + value.count("$&") * len(token)
    if len(text) + text.count(token) * longest_value > LONGEST:
        return text
    if "$" in value:
        value = _DOLLARS.sub(lambda found: "$" if found[1] == "$" else token, value)
    return text.replace(token, value)
