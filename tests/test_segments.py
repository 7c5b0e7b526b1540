import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segments import (
    GSM_7_BASIC,
    GSM_7_EXTENSION,
    Cost,
    Encoding,
    Measurement,
    as_sent,
    characters_forcing_ucs2,
    cost_of,
    measure,
    media_url,
)

VECTORS = json.loads((Path(__file__).parent / "data/segment_vectors.json").read_text("utf-8"))

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
WOMAN, HEART, TONE, NEW_HANDS = "\U0001f469", "\u2764", "\U0001f3fd", "\U0001faf6"
ZWJ, ACUTE, VARIATION, KEYCAP = "\u200d", "\u0301", "\ufe0f", "\u20e3"
FLAG_A, FLAG_B = "\U0001f1e6", "\U0001f1e7"
JAMO_L, JAMO_V, JAMO_T = "\u1100", "\u1161", "\u11a8"
KA, VIRAMA, SSA = "\u0915", "\u094d", "\u0937"
NUMBER_SIGN = "\u0600"

# Each list is a place where clusters grow, join or pair up; what is repeated reaches the limits.
ALPHABETS = [
    ["a", "€", "[", "\f", "é"],
    ["a", "€", "ç", "\r", "\n", "\r\n", ACUTE],
    ["e", ACUTE, VARIATION, KEYCAP, "1", "中", "\u200b"],
    [WOMAN, HEART, TONE, NEW_HANDS, ZWJ, VARIATION, FAMILY, "\U0001f680", "a"],
    [FLAG_A, FLAG_B, ZWJ, ACUTE, NUMBER_SIGN, "a"],
    [JAMO_L, JAMO_V, JAMO_T, "가", "각", ACUTE, ZWJ, "a"],
    [KA, VIRAMA, SSA, "\u093f", ZWJ, "\u1cf2", "a"],
]
ALPHABETS.append([character for alphabet in ALPHABETS for character in alphabet])


def texts_of(alphabet: list[str]) -> st.SearchStrategy[str]:
    times = st.sampled_from([1, 1, 1, 2, 3, 15, 32, 66, 67, 70])
    runs = st.builds(str.__mul__, st.sampled_from([*alphabet, "中"]), times)
    return st.lists(runs, min_size=1, max_size=10).map("".join)


texts = st.sampled_from(ALPHABETS).flatmap(texts_of)


def packed(text: str) -> int:
    """How many segments of 67 units the clusters of `text` fill, one after another."""
    segments, used = 1, 0
    for cluster in regex.findall(r"[\r\n]|\X", text):
        units = sum(2 if character > "\uffff" else 1 for character in cluster)
        segments, used = (segments, used + units) if used + units <= 67 else (segments + 1, units)
    return segments


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_a_vector_measures_as_given(vector: dict[str, Any]) -> None:
    measured = measure(vector["text"])
    assert (measured.encoding, measured.segments) == (vector["encoding"], vector["segments"])


@pytest.mark.parametrize("text", ["\ud83d", "a\ude00", "\ud83d\ude00", "\ude00" * 80])
def test_a_lone_surrogate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        measure(text)


def test_the_gsm_7_tables_have_their_sizes_and_nothing_in_common() -> None:
    assert len(set(GSM_7_BASIC)) == len(GSM_7_BASIC) == 127
    assert len(set(GSM_7_EXTENSION)) == len(GSM_7_EXTENSION) == 10
    assert not set(GSM_7_BASIC) & set(GSM_7_EXTENSION)


@pytest.mark.parametrize("character", GSM_7_BASIC)
def test_a_basic_character_is_one_septet(character: str) -> None:
    assert measure(character) == Measurement(Encoding.GSM_7, 1, 1, 159)


@pytest.mark.parametrize("character", GSM_7_EXTENSION)
def test_an_extension_character_is_two_septets_and_one_unit(character: str) -> None:
    assert measure(character) == Measurement(Encoding.GSM_7, 2, 1, 158)
    assert measure(character + "中") == Measurement(Encoding.UCS_2, 2, 1, 68)


@pytest.mark.parametrize("character", "çáíóú\t`—’\x1b\xa0")
def test_a_look_alike_is_not_gsm_7(character: str) -> None:
    assert measure(character).encoding is Encoding.UCS_2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, Measurement(Encoding.GSM_7, 160, 1, 0)),
        ("a" * 161, Measurement(Encoding.GSM_7, 161, 2, 145)),
        ("a" * 152 + "€" + "a" * 7, Measurement(Encoding.GSM_7, 161, 2, 144)),
        ("a" * 306, Measurement(Encoding.GSM_7, 306, 2, 0)),
        ("a" * 305 + "€", Measurement(Encoding.GSM_7, 307, 3, 151)),
        ("中" * 70, Measurement(Encoding.UCS_2, 70, 1, 0)),
        ("中" * 71, Measurement(Encoding.UCS_2, 71, 2, 63)),
        ("中" * 66 + "\U0001f600" + "中" * 3, Measurement(Encoding.UCS_2, 71, 2, 62)),
        ("中" * 134, Measurement(Encoding.UCS_2, 134, 2, 0)),
        ("中" * 60 + FAMILY, Measurement(Encoding.UCS_2, 71, 2, 56)),
    ],
)
def test_units_lost_to_what_is_never_split_are_neither_used_nor_left(
    text: str, expected: Measurement
) -> None:
    assert measure(text) == expected


def test_cr_and_lf_count_apart() -> None:
    assert measure("中" * 66 + "\r\n" + "中" * 66).segments == 2


@pytest.mark.parametrize(
    "cluster",
    [WOMAN + TONE, FLAG_A + FLAG_B, "e" + ACUTE, JAMO_L + JAMO_V + JAMO_T, NUMBER_SIGN + "1"],
)
def test_a_grapheme_cluster_is_never_split(cluster: str) -> None:
    units = len(cluster.encode("utf-16-le")) // 2
    assert measure("中" * (68 - units) + cluster + "中" * 66).segments == 3


def test_a_cluster_of_the_present_rules_only_counts_as_one() -> None:
    assert measure("中" * 65 + KA + VIRAMA + SSA + "中" * 66).segments == 3
    assert measure("中" * 64 + NEW_HANDS + TONE + "中" * 66).segments == 3


def test_a_cluster_of_the_older_rules_only_counts_as_one() -> None:
    assert measure("中" * 65 + "a" + ZWJ + HEART + "中" * 65).segments == 3


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("e" + ACUTE * 69, 1),
        ("e" + ACUTE * 100, 2),
        ("e" + ACUTE * 69 + "aa", 3),
        ("aa" + "e" + ACUTE * 69, 3),
        (WOMAN + TONE * 66, 3),
        ("e" + ACUTE * 20_000, 299),
    ],
)
def test_a_cluster_longer_than_a_segment_has_segments_of_its_own(text: str, segments: int) -> None:
    assert measure(text).segments == segments


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(texts)
def test_appending_never_lowers_the_segments(text: str) -> None:
    counts = [measure(text[:length]).segments for length in range(1, min(len(text), 250) + 1)]
    assert all(before <= after for before, after in pairwise(counts))


@settings(max_examples=100, deadline=None)
@given(texts)
def test_characters_left_fit_and_one_more_does_not(text: str) -> None:
    # A number sign at the end would join the first character that follows it.
    text += "-"
    measured = measure(text)
    filled = text + "a" * measured.characters_left
    assert measure(filled).segments == measured.segments
    assert measure(filled).characters_left == 0
    assert measure(filled + "a").segments > measured.segments


@settings(max_examples=100, deadline=None)
@given(texts)
def test_segments_are_no_fewer_than_the_clusters_need(text: str) -> None:
    measured = measure(text)
    if measured.encoding is Encoding.UCS_2 and measured.characters_used > 70:
        assert measured.segments >= packed(text)


@settings(max_examples=100, deadline=None)
@given(texts_of(["a", "e" + ACUTE, "\r\n", "€", FLAG_A + FLAG_B, WOMAN + TONE, FAMILY]))
def test_where_the_rules_agree_segments_are_what_the_clusters_need(text: str) -> None:
    text += "中" * 71
    assert measure(text).segments == packed(text)


@settings(max_examples=50, deadline=None)
@given(texts)
def test_characters_forcing_ucs2_are_there_exactly_in_ucs2(text: str) -> None:
    forcing = characters_forcing_ucs2(text)
    assert bool(forcing) is (measure(text).encoding is Encoding.UCS_2)
    assert len(set(forcing)) == len(forcing)


def test_characters_forcing_ucs2_come_in_order_of_first_appearance() -> None:
    assert characters_forcing_ucs2("Hi Núñez, así es… así") == ["ú", "í", "…"]
    assert characters_forcing_ucs2("Peña {pays} €5") == []


def test_curly_apostrophes_go_out_straight() -> None:
    assert as_sent("it\u2019s \u2018so\u2019 \u201cgood\u201d") == "it's 'so' \u201cgood\u201d"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("Hi [https://a.org/x.png] Ana", "https://a.org/x.png"),
        ("[ \n\ufeffhttp://a.org\u2003]", "http://a.org"),
        ("[http://a.org][http://b.org]", "http://a.org"),
        ("[see http://a.org]", None),
        ("[http://a.org x]", None),
        ("[http://a.org", None),
        ("[\x1fhttp://a.org]", None),
        ("[ftp://a.org]", None),
        ("", None),
    ],
)
def test_media_is_the_first_bracketed_url(text: str, url: str | None) -> None:
    assert media_url(text) == url


def test_a_text_costs_a_credit_for_each_segment() -> None:
    assert cost_of("a" * 161, mms_credits=3) == Cost(credits=2, segments=2, media=0)
    assert cost_of(as_sent("\u2019" + "a" * 159), mms_credits=3).credits == 1


@pytest.mark.parametrize("body", ["", "a", "中" * 500])
def test_a_text_with_media_costs_the_same_whatever_its_length(body: str) -> None:
    expected = Cost(credits=3, segments=1, media=1)
    assert cost_of(body + "[http://a.org/x.png]", mms_credits=3) == expected
