"""`python -m bench` measures everything, `python -m bench send limit` only these two.

Tables go to the terminal and, with the machine, to bench/results as JSON. A floor that does not
change is measured before and after: how far it moved is what this machine's figures are worth.
"""

import argparse
import importlib
import time
from dataclasses import asdict

from bench import noise
from bench.report import Figure, Outcome, machine, print_reaches, print_table, save

NAMES = (
    "segments",
    "send",
    "limit",
    "refuse",
    "mixed",
    "guard",
    "handle",
    "todos",
    "live",
    "texts",
    "providers",
    "lists",
    "processes",
    "memory",
    "growth",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    found_on = machine()
    print_table("Machine", [found_on])
    floors = noise.floors()
    figures: list[Figure] = []
    for name in names:
        figures += _run(name, found_on)
    floors += noise.floors()
    spread = noise.spread(floors)
    print_table("Noise: the same floor before and after", [spread])
    if figures:
        print_reaches(figures, spread["median_ms"])
    save("reach", machine=found_on, noise=spread, figures=figures)


def _run(name: str, found_on: dict[str, object]) -> list[Figure]:
    started = time.monotonic()
    outcome: Outcome = importlib.import_module(f"bench.{name}").run()
    for title, rows in outcome.tables.items():
        print_table(title, rows)
    print(f"({name} took {time.monotonic() - started:.0f} s)")
    save(name, machine=found_on, **asdict(outcome))
    return list(outcome.figures)


if __name__ == "__main__":
    main()
