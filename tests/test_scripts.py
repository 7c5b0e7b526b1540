"""Scripts filled in as Spoke's client does it: the expected texts are what its JavaScript gives."""

import pytest

from services.scripts import LONGEST, Recipient, Script, Variable, fill_in, title_case

ANA = Recipient(
    first_name="ANA",
    last_name="de la cruz",
    cell="+12025550123",
    zip="02139",
    external_id="VAN 7",
    custom_fields='{"city": "SALEM", "poll place": "Library", "firstName": "Other"}',
    texter_first_name="terry",
    texter_last_name="O'NEILL",
)
CUSTOM = ("city", "poll place", "firstName", "gone")
VARIABLES = (
    Variable("cv:date", "Saturday"),
    Variable("cv:nothing", None),
    Variable("cv:empty", ""),
    Variable("cv:where", "{city}, {cv:date}, {cv:later}"),
    Variable("cv:later", "at ten"),
)
FILLED_IN = {
    "Hi {firstName} {lastName}!": "Hi Ana De La Cruz!",
    "{texterFirstName} {texterLastName} here": "Terry O'neill here",
    "{cell} {zip} {external_id}": "+12025550123 02139 VAN 7",
    "{city}: {poll place}": "SALEM: Library",
    "{firstName}{firstName}": "AnaAna",
    "{gone}": "undefined",
    # What nobody knows, or has no value, stays.
    "{FirstName} { firstName } {nobody}": "{FirstName} { firstName } {nobody}",
    "{cv:nothing} {cv:empty} {cv:unknown}": "{cv:nothing} {cv:empty} {cv:unknown}",
    "{cv:date}": "Saturday",
    # A variable comes after fields, and before those that follow it.
    "{cv:where}": "{city}, {cv:date}, at ten",
    "{{city}}": "{SALEM}",
    "": "",
}


@pytest.mark.parametrize("option", FILLED_IN)
def test_fields_and_variables_are_put_in(option: str) -> None:
    script = Script([option], CUSTOM, VARIABLES)
    assert fill_in(option, script, ANA) == FILLED_IN[option]


def test_for_nobody_only_variables_are_put_in() -> None:
    option = "Hi {firstName}, {cv:date} in {city}"
    assert fill_in(option, Script([option], CUSTOM, VARIABLES), None) == (
        "Hi {firstName}, Saturday in {city}"
    )


NAMES = {
    "ANA": "Ana",
    "ana maría": "Ana María",
    "mary-ann": "Mary-ann",
    "o'neill": "O'neill",
    "MCDONALD": "Mcdonald",
    "  ana  ": "Ana",
    "x  y": "X  Y",
    "a\tb": "A\tb",
    "NÚÑEZ": "Núñez",
    "ßeth": "SSeth",
    "ΣΊΣΥΦΟΣ": "Σίσυφος",
    "\ufeffana\u3000": "Ana",
    "\x85ana": "\x85ana",
    "😀 ana": "😀 Ana",
    "": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_put_in_title_case(name: str) -> None:
    assert title_case(name) == NAMES[name]
    recipient = ANA._replace(first_name=name, last_name=name, texter_first_name=name)
    option = "{firstName}|{lastName}|{texterFirstName}"
    assert fill_in(option, Script([option]), recipient) == "|".join([NAMES[name]] * 3)


@pytest.mark.parametrize("name", ["friend", "there", "Friend", "THERE"])
def test_what_stands_for_a_first_name_keeps_its_case(name: str) -> None:
    recipient = ANA._replace(first_name=name, last_name=name)
    option = "{firstName} {lastName}"
    assert fill_in(option, Script([option]), recipient) == f"{name} {title_case(name)}"


@pytest.mark.parametrize(
    ("value", "put_in"), [("$$5", "$5"), ("$& or $1", "{city} or $1"), ("5$", "5$")]
)
def test_dollars_are_read_as_javascript_does(value: str, put_in: str) -> None:
    recipient = ANA._replace(custom_fields=f'{{"city": "{value}"}}')
    assert fill_in("{city}", Script(["{city}"], ("city",)), recipient) == put_in


@pytest.mark.parametrize(
    ("stored", "put_in"),
    [
        ('{"city": 5}', "5"),
        ('{"city": null}', "null"),
        ('{"city": true}', "true"),
        ("{}", "undefined"),
        ("[]", "undefined"),
        ("5", "undefined"),
        ("", "undefined"),
        ("not JSON", "undefined"),
        ("[" * 100_000, "undefined"),
        ('{"city": [1.5, "é"]}', '[1.5,"é"]'),
        (r'{"city": "caf\ud83d"}', "caf\ufffd"),
        (r'{"city": "\ud83d\ude00"}', "\N{GRINNING FACE}"),
        (r'{"city": ["\ude00"]}', '["\ufffd"]'),
    ],
)
def test_custom_fields_may_hold_anything(stored: str, put_in: str) -> None:
    recipient = ANA._replace(custom_fields=stored)
    assert fill_in("{city}", Script(["{city}"], ("city",)), recipient) == put_in


def test_fields_that_name_each_other_do_not_grow_without_end() -> None:
    """Forty doublings would be a million million characters."""
    variables = [Variable(f"cv:{n}", f"{{cv:{n + 1}}}" * 2) for n in range(40)]
    option = "{cv:0}"
    assert LONGEST / 4 < len(fill_in(option, Script([option], (), variables), ANA)) <= LONGEST
