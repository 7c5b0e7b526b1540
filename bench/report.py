"""What a benchmark finds, how it is shown and kept, and whether it is within reach."""

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.harness import postgres_program

RESULTS = Path(__file__).parent / "results"
Row = Mapping[str, Any]


FLOOR_OF_THE_REACHES = 0.065
"""CPU in milliseconds per request of the floor where the reaches were set. A machine on which it
costs twice as much is half as fast."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table of reaches. `reach`: the most that is wanted, or `is_least` the least."""

    name: str
    value: float
    reach: float
    unit: str
    is_least: bool = False

    def is_met(self, slowness: float = 1) -> bool:
        """`slowness`: how many times slower this machine is, which counts for milliseconds."""
        value = self.value / slowness if self.unit == "ms" else self.value
        return value >= self.reach if self.is_least else value <= self.reach


@dataclass(frozen=True, slots=True)
class Outcome:
    tables: Mapping[str, Sequence[Row]]
    figures: Sequence[Figure] = ()


def machine() -> dict[str, Any]:
    version = subprocess.check_output([postgres_program("pgbench"), "--version"], text=True)
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "postgres": version.split()[-1].rstrip(")"),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def print_table(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}")
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    print("  ".join(name.rjust(width) for name, width in widths.items()))
    for row in rows:
        print("  ".join(str(row[name]).rjust(width) for name, width in widths.items()), flush=True)


def print_reaches(figures: Sequence[Figure], floor: float) -> None:
    """`floor`: in milliseconds, on this machine."""
    slowness = round(floor / FLOOR_OF_THE_REACHES, 2)
    rows = [
        {
            "figure": figure.name,
            "is": f"{figure.value:g} {figure.unit}",
            "reach": f"{'>=' if figure.is_least else '<='} {figure.reach:g}",
            "met": _answer(figure.is_met()),
            "at their speed": f"{figure.value / slowness:.3g}" if figure.unit == "ms" else "",
            "met then": _answer(figure.is_met(slowness)),
        }
        for figure in figures
    ]
    print_table(f"Reach (this machine is {slowness} times slower than where it was set)", rows)


def _answer(is_met: bool) -> str:
    return "yes" if is_met else "NO"


def save(name: str, **found: Any) -> None:
    RESULTS.mkdir(exist_ok=True)
    stamped = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **found}
    content = orjson.dumps(stamped, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (RESULTS / f"{name}.json").write_bytes(content)
