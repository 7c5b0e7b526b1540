"""What every piece of text from outside must satisfy before it reaches the database."""

from services.errors import InvalidInput


def checked(value: str, name: str, *, longest: int) -> str:
    """Raises InvalidInput for what PostgreSQL can't store, NUL or lone surrogates, or too long."""
    if "\0" in value:
        raise InvalidInput(f"{name} contains a NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(f"{name} contains half of a surrogate pair.")
    if len(value) > longest:
        raise InvalidInput(f"{name} is longer than {longest} characters.")
    return value


def well_formed(value: str) -> str:
    """With a replacement character, which counts the same, for each half of a surrogate pair."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def checked_or_none(value: str | None, name: str, *, longest: int) -> str | None:
    """Blank counts as absent."""
    return checked(value, name, longest=longest).strip() or None if value else None


def idempotency_key(value: str | None) -> str | None:
    """Raises InvalidInput for an empty key: a client that sends one means to be protected."""
    if value is None:
        return None
    if not value.strip():
        raise InvalidInput("The idempotency key is empty.")
    return checked(value, "The idempotency key", longest=200)
