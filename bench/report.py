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


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table of reaches. `reach`: the most that is wanted, or `is_least` the least."""

    name: str
    value: float
    reach: float
    unit: str
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.value >= self.reach if self.is_least else self.value <= self.reach


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


def print_reaches(figures: Sequence[Figure]) -> None:
    rows = [
        {
            "figure": figure.name,
            "is": f"{figure.value:g} {figure.unit}",
            "reach": f"{'>=' if figure.is_least else '<='} {figure.reach:g}",
            "met": "yes" if figure.is_met else "NO",
        }
        for figure in figures
    ]
    print_table("Reach", rows)


def save(name: str, **found: Any) -> None:
    RESULTS.mkdir(exist_ok=True)
    stamped = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **found}
    content = orjson.dumps(stamped, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (RESULTS / f"{name}.json").write_bytes(content)
