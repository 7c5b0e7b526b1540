"""Who may speak for Twilio. The signatures were made by Twilio's own library; the first is also in
its documentation."""

import pytest

from services.twilio_signatures import is_from_twilio
from tests.twilio_twin import twilio_signature

CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
TEXT = {"Body": "Ünï “ö” 👍 ", "MessageSid": "SM1", "Empty": "", "a": "1", "Z": "2"}
TOKEN = "0123456789abcdef0123456789abcdef"
REPORT = "http://127.0.0.1:8000/twilio-message-report?message=1.abc"
GENUINE = [
    ("https://mycompany.com/myapp.php?foo=1&bar=2", CALL, "12345", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    ("https://spoke.example/twilio", TEXT, TOKEN, "sFjN4G3txlkZanHAXZMHnSF2H5c="),
    ("https://spoke.example/twilio", TEXT, TOKEN, "fag3oc63DImrRu7E+nmJ/U4C1o4="),  # with :443
    (REPORT, TEXT, TOKEN, "YZel8JxELKxqIcc/i4fO7pVLFic="),
]


@pytest.mark.parametrize(("url", "form", "token", "signature"), GENUINE)
def test_twilios_signature_is_known(
    url: str, form: dict[str, str], token: str, signature: str
) -> None:
    assert is_from_twilio(signature, url, form.items(), token)
    assert is_from_twilio(signature, url, reversed(form.items()), token)


@pytest.mark.parametrize(("url", "form", "token", "signature"), GENUINE)
def test_anything_else_is_not(url: str, form: dict[str, str], token: str, signature: str) -> None:
    changed = [
        (signature, f"{url}x", form, token),
        (signature, url, {**form, "More": "1"}, token),
        (signature, url, dict(list(form.items())[1:]), token),
        (signature, url, {name: value + " " for name, value in form.items()}, token),
        (signature, url, form, token + "x"),
        (signature[:-1], url, form, token),
        (signature.lower(), url, form, token),
        ("", url, form, token),
        ("é", url, form, token),
    ]
    for forged, asked, fields, with_token in changed:
        assert not is_from_twilio(forged, asked, fields.items(), with_token)


def test_wishes_in_the_fragment_may_be_signed_or_not() -> None:
    for signed in (REPORT, f"{REPORT}#rc=5&rp=ct,rt,5xx"):
        assert is_from_twilio(twilio_signature(signed, TEXT, TOKEN), REPORT, TEXT.items(), TOKEN)
    other = twilio_signature(f"{REPORT}#rc=1", TEXT, TOKEN)
    assert not is_from_twilio(other, REPORT, TEXT.items(), TOKEN)


def test_ports_and_addresses_of_every_kind() -> None:
    for url in ("https://a.example:8443/x?y=1", "http://[::1]:8000/x", "http://a.example/x"):
        assert is_from_twilio(twilio_signature(url, TEXT, TOKEN), url, TEXT.items(), TOKEN)
