"""Which database a command works on, and the secret that goes with it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.embedded_postgres import embedded_postgres
from services.settings import Settings


@contextmanager
def chosen_database(settings: Settings) -> Iterator[str]:
    """The URL of DATABASE_URL's database, or of the embedded one, started if need be."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
    else:
        with embedded_postgres(settings.spoke_data_dir) as url:
            yield url


def listening_url(settings: Settings, url: str) -> str:
    """Where to listen. `url`: of the chosen database."""
    direct = settings.database_direct_url
    return direct.get_secret_value() if direct else url


def session_secret(settings: Settings) -> str:
    """SESSION_SECRET, or the one that was made for the embedded database."""
    if settings.session_secret is not None:
        return settings.session_secret.get_secret_value()
    return _kept_secret(settings.spoke_data_dir / "session_secret")


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(secret := secrets.token_urlsafe(32))
    return secret
