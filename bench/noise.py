"""How far this machine's figures can be believed: the floor, measured several times."""

from statistics import median
from typing import Any

from bench.harness import floor, measure
from bench.requests import sends

ROUNDS, SECONDS = 3, 1.5


def floors() -> list[float]:
    """CPU in milliseconds per request of the same route, by 64 clients, several times."""
    spec = {
        "cookies": [""],
        "clients": 64,
        "seconds": SECONDS,
        "bodies": sends(range(100)),
        "repeat": True,
    }
    with floor(b'{"data": {"sendMessage": null}}') as running:
        return [measure(None, [running], spec).server_cpu for _ in range(ROUNDS)]


def spread(floors: list[float]) -> dict[str, Any]:
    middle = median(floors)
    return {
        "rounds": len(floors),
        "median_ms": middle,
        "least_ms": min(floors),
        "most_ms": max(floors),
        "spread": f"{(max(floors) - min(floors)) / middle:.0%}",
    }
