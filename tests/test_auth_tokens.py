"""Tokens as Spoke stores them. All vectors were encrypted by OpenSSL's command line: the old ones
with `enc -aes-256-cbc -md md5 -nosalt -k SECRET`, the new one with a key and a vector.
"""

import pytest

from services.auth_tokens import CannotDecrypt, decrypted
from tests.world import encrypted

SECRET = "a-secret-for-the-tests"
TOKEN = "0123456789abcdef0123456789abcdef"
OLD = {
    "my token": "e905c7d126c5b04107103c56dc47a3eb",
    TOKEN: "a8ff475e2d8bb9f6387501085f831a10"
    "18932a965d39395998b1f9306530b0257a7d63242a30124146ea076311d4b050",
    "zwölf Boxkämpfer": "0de818aa55d637552d3a9d8595be9dbce8f085cad8407a88b0e94d16f6d32d38",
}
NEW = (
    "000102030405060708090a0b0c0d0e0f:24b2cc8dfb43fdbb8440d7a4a02216bd"
    "8ad2e9d47766f9d6410ac473b2ee8b1899ec159970f4bfbee045fc3887651e2e"
)
EMPTY = "c3d4e001343e80cb5b9d36f0070639f1"


@pytest.mark.parametrize("token", OLD)
def test_tokens_without_an_initialization_vector(token: str) -> None:
    assert decrypted(OLD[token], SECRET) == token


def test_secrets_may_be_in_any_alphabet() -> None:
    token = (
        "c4087d624b5fbb3edccb7ecbc635cc52642a37be7b440a72ef71c0699d1764eb"
        "9fb0e1ed815969eb13ef4baa781596da"
    )
    assert decrypted(token, "ein anderes Geheimnis: ä€") == TOKEN


def test_tokens_with_an_initialization_vector() -> None:
    assert decrypted(NEW, SECRET) == TOKEN
    assert decrypted(encrypted(TOKEN, SECRET), SECRET) == TOKEN


@pytest.mark.parametrize(
    "token", ["", "xyz", OLD["my token"][:-2], f"00:{OLD['my token']}", NEW + ":", ":", EMPTY]
)
def test_what_can_not_be_read_shows_nothing(token: str) -> None:
    """Not even an empty token: anybody could sign with that."""
    with pytest.raises(CannotDecrypt) as caught:
        decrypted(token, SECRET)
    assert str(caught.value) == ""


def test_another_secret_reads_nothing() -> None:
    for token in (OLD[TOKEN], NEW):
        with pytest.raises(CannotDecrypt):
            decrypted(token, "another-secret-for-the-tests")
