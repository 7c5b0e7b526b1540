"""The superadmin's lists: the Credits page, and the purchases of 100 teams with their people."""

from dataclasses import asdict, dataclass

from bench.harness import Server, ask, database, floor, measure, server
from bench.report import Figure, Outcome, Row
from bench.requests import Body, credits_page, purchases_page
from bench.world import SUPERADMIN, cookies_of, make_world

CLIENTS = (1, 4)
SECONDS = 2
TEAMS = 1_000
PURCHASES = 20


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    body: Body
    reach: float
    """Milliseconds of CPU per answer to a single client, server and PostgreSQL."""


PAGES = (
    Page("Credits page, 100 teams x 8 fields", credits_page(100), 8),
    Page("Credits page, 1,000 teams x 8 fields", credits_page(1000), 60),
    Page("100 teams x 20 purchases with people", purchases_page(100), 120),
)


def run() -> Outcome:
    rows: list[Row] = []
    figures: list[Figure] = []
    with database() as url:
        make_world(url, teams=TEAMS, purchases=PURCHASES)
        cookies = cookies_of(url, SUPERADMIN)
        with server(url) as running:
            for page in PAGES:
                found = _measured(url, running, cookies, page)
                rows += found
                cpu = round(found[0]["server_cpu"] + found[0]["postgres_cpu"], 1)
                figures.append(Figure(f"{page.name}, CPU", cpu, page.reach, "ms"))
    return Outcome({"Lists (CPU in ms per answer; floor: the same bytes)": rows}, figures)


def _measured(url: str, running: Server, cookies: list[str], page: Page) -> list[Row]:
    answer = ask(running, cookies[0], page.body)
    assert b'"errors"' not in answer
    spec = {"cookies": cookies, "seconds": SECONDS, "bodies": [page.body], "repeat": True}
    found = {clients: measure(url, [running], {**spec, "clients": clients}) for clients in CLIENTS}
    with floor(answer) as nothing:
        least = measure(None, [nothing], {**spec, "clients": 1, "seconds": 1}).server_cpu
    return [
        {
            "page": page.name,
            "bytes": len(answer),
            "clients": clients,
            **asdict(one),
            "floor_cpu": least,
            "ratio": round(one.server_cpu / least, 1),
        }
        for clients, one in found.items()
    ]
