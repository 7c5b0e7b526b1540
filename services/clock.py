"""Time, as the rules see it: always aware, always UTC. Rules take `now` as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
