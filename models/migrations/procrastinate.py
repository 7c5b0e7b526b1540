"""procrastinate's own migrations, by name, as far as revisions of ours have taken them.

Before version 17, PostgreSQL doesn't use a value that was added to an enum in the same transaction.
So the values are added by a revision of their own, and left out where they stand.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

_ADDED_VALUE = re.compile(r"^alter type \S+ add value .*?;", re.IGNORECASE | re.MULTILINE)


def without_new_values(first: str, last: str) -> Iterator[str]:
    """The scripts of these versions, both included, in their order."""
    for script in _scripts(first, last):
        yield _ADDED_VALUE.sub("", script)


def new_values(first: str, last: str) -> Iterator[str]:
    """The statements that add values to enums."""
    for script in _scripts(first, last):
        yield from _ADDED_VALUE.findall(script)


def _scripts(first: str, last: str) -> Iterator[str]:
    folder = files("procrastinate") / "sql" / "migrations"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        version = file.name.partition("_")[0]
        if file.name.endswith(".sql") and first <= version <= last:
            yield file.read_text()
