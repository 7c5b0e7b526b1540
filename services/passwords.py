"""Passwords in Spoke's format: `localauth|<salt>|<hash>` in "user".auth0_id.

The hash is PBKDF2-HMAC-SHA1 with 25,000 rounds and 512 bytes, in hex; the salt is 64 hex
characters, whose ASCII bytes are used as they are (passport-local-authenticate does so).
"""

import asyncio
import hashlib
import secrets

_SCHEME = "localauth"
_ROUNDS = 25_000
_NOBODY = f"{_SCHEME}|{'0' * 64}|{'0' * 1024}"


async def hash_password(password: str) -> str:
    """Costs about 0.2 s of CPU, in a thread."""
    salt = secrets.token_hex(32)
    return f"{_SCHEME}|{salt}|{await asyncio.to_thread(_derive, password, salt)}"


async def password_matches(password: str, stored: str | None) -> bool:
    """Takes as long for a person who doesn't exist (`stored` None) as for one who does."""
    scheme, _, rest = (stored or _NOBODY).partition("|")
    salt, _, expected = rest.partition("|")
    actual = await asyncio.to_thread(_derive, password, salt)
    return scheme == _SCHEME and secrets.compare_digest(actual, expected) and stored is not None


def _derive(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), _ROUNDS, 512).hex()
