"""What a text costs: its encoding, its segments and its credits.

Sources: GSM 03.38 (3GPP 23.038) for the alphabet, 3GPP 23.040 for texts of several segments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import regex


class Encoding(StrEnum):
    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A text, counted in septets (GSM-7) or UTF-16 code units (UCS-2).

    `characters_left` is how many characters of one unit still fit before `segments` grows.
    """

    encoding: Encoding
    characters_used: int
    segments: int
    characters_left: int


@dataclass(frozen=True, slots=True)
class Cost:
    credits: int
    segments: int
    media: int


# Units in a segment: 140 octets, of which the header that joins it to others takes 6.
GSM_7_ALONE, GSM_7_JOINED = 160, 153
UCS_2_ALONE, UCS_2_JOINED = 70, 67

GSM_7_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENSION = "\f^{}\\[~]|€"

_GSM_7_TEXT = re.compile(f"[{re.escape(GSM_7_BASIC + GSM_7_EXTENSION)}]*")
_NOT_GSM_7 = re.compile(f"[^{re.escape(GSM_7_BASIC + GSM_7_EXTENSION)}]")
_EXTENSION = re.compile(f"[{re.escape(GSM_7_EXTENSION)}]")

# GCB is the property Grapheme_Cluster_Break of UAX 29. The characters spelled out joined the
# one before (marks) or after them (prepended) in Unicode 10, and no longer do.
_MARKS = r"\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}\u1cf2\u1cf3\U00011720\U00011721"
_PREPENDED = r"\p{GCB=Prepend}\U00011a3a"

# Unicode 10 joined these to any zero width joiner before them, now it takes a pictograph's.
_GLUED = "♀♂⚕⚖✈❤🌈🌾🍳🎓🎤🎨🏫🏭👦👧👨👩💋💻💼🔧🔬🗨🚀🚒"

# Grapheme clusters by the present rules of UAX 29, and by those of Unicode 10, by which Twilio's
# calculator counts. Neither always gives more segments.
_PRESENT_CLUSTER = regex.compile(r"\X")
_UNICODE_10_CLUSTER = regex.compile(
    rf"""
    (?: \p{{GCB=RI}}{{2}}
      | [{_PREPENDED}]*+
        (?: \p{{GCB=L}}*+ (?: \p{{GCB=V}}++ | \p{{GCB=LV}} \p{{GCB=V}}*+ | \p{{GCB=LVT}} )
            \p{{GCB=T}}*+
          | \p{{GCB=L}}++
          | \p{{GCB=T}}++
          | [^{_PREPENDED}\p{{GCB=Control}}\p{{GCB=CR}}\p{{GCB=LF}}]
        )
      | [{_PREPENDED}]++
    )
    (?: [{_MARKS}] | (?<=\u200d) [{_GLUED}] )*+
    | [\s\S]
    """,
    regex.VERBOSE,
)


def _uneven() -> re.Pattern[str]:
    """A stretch of characters that have two units or may join a neighbour.

    The even character before a stretch may belong to its first cluster. Between two even ones
    a cluster always ends, CR and LF included.
    """
    joining = regex.compile(rf"[{_MARKS}{_PREPENDED}\p{{GCB=L}}\p{{GCB=V}}\p{{GCB=T}}]")
    plane_0 = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000)]))
    uneven = re.escape("".join(joining.findall(plane_0))) + r"\U00010000-\U0010ffff"
    return re.compile(f"([{uneven}](?:[^{uneven}]?[{uneven}])*[^{uneven}]?)")


_UNEVEN = _uneven()

# White space as in JavaScript, where Spoke applies this rule.
_SPACE = r"\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_MEDIA = re.compile(rf"\[[{_SPACE}]*(http[^\]{_SPACE}]*)[{_SPACE}]*\]")


def measure(text: str) -> Measurement:
    """The size of `text`, taken as it is: refusing an empty one is up to those who send.

    Raises UnicodeEncodeError for a lone surrogate.
    """
    if _GSM_7_TEXT.fullmatch(text):
        septets = len(text) + len(_EXTENSION.findall(text))
        if septets <= GSM_7_ALONE:
            return Measurement(Encoding.GSM_7, septets, 1, GSM_7_ALONE - septets)
        return _in_segments(Encoding.GSM_7, septets, _gsm_7_end(text), GSM_7_JOINED)
    units = _units(text)
    if units <= UCS_2_ALONE:
        return Measurement(Encoding.UCS_2, units, 1, UCS_2_ALONE - units)
    stretches = list(_stretches(text))
    end = max(
        _ucs_2_end(stretches, _PRESENT_CLUSTER),
        _ucs_2_end(stretches, _UNICODE_10_CLUSTER),
    )
    return _in_segments(Encoding.UCS_2, units, end, UCS_2_JOINED)


def characters_forcing_ucs2(text: str) -> list[str]:
    return list(dict.fromkeys(_NOT_GSM_7.findall(text)))


def as_sent(text: str) -> str:
    return text.replace("\u2018", "'").replace("\u2019", "'")


def media_url(text: str) -> str | None:
    found = _MEDIA.search(text)
    return found[1] if found else None


def without_media(text: str) -> str:
    return _MEDIA.sub("", text, count=1)


def cost_of(text: str, *, mms_credits: int) -> Cost:
    """What sending `text`, already as it will go out, uses up.

    Raises UnicodeEncodeError where `measure` does, unless the text has media.
    """
    if media_url(text) is not None:
        return Cost(credits=mms_credits, segments=1, media=1)
    segments = measure(text).segments
    return Cost(credits=segments, segments=segments, media=0)


def _in_segments(encoding: Encoding, used: int, end: int, size: int) -> Measurement:
    return Measurement(encoding, used, segments=-(-end // size), characters_left=-end % size)


def _gsm_7_end(text: str) -> int:
    """Septets to the end of the text, with those left empty before an unsplit pair."""
    extra = 0
    for pair in _EXTENSION.finditer(text):
        at_last_septet = (pair.start() + extra) % GSM_7_JOINED == GSM_7_JOINED - 1
        extra += 2 if at_last_septet else 1
    return len(text) + extra


def _stretches(text: str) -> Iterator[tuple[int, str, int]]:
    """Each stretch to be searched for clusters: units before it, its text, its units."""
    pieces = _UNEVEN.split(text)
    for even, uneven in zip(pieces[::2], pieces[1::2], strict=False):
        stretch = even[-1:] + uneven
        yield len(even[:-1]), stretch, _units(stretch)
    yield len(pieces[-1]), "", 0


def _ucs_2_end(stretches: list[tuple[int, str, int]], rule: regex.Pattern[str]) -> int:
    """Units to the end of the text, with those left empty before an unsplit cluster."""
    end = 0
    for before, stretch, units in stretches:
        end += before
        if units <= _room(end):
            end += units
        else:
            for cluster in rule.findall(stretch):
                end = _append(end, cluster)
    return end


def _append(end: int, cluster: str) -> int:
    units, room = _units(cluster), _room(end)
    if units <= room:
        return end + units
    if units <= UCS_2_JOINED:
        return end + room + units
    # It has to be cut, and no standard says where. Cut between characters, in segments
    # that hold nothing else, it counts more than when it shares its first and its last.
    end = _full(end)
    for character in cluster:
        end = _append(end, character)
    return _full(end)


def _room(end: int) -> int:
    return UCS_2_JOINED - end % UCS_2_JOINED


def _full(end: int) -> int:
    return end + -end % UCS_2_JOINED


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
