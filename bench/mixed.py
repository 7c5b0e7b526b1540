"""A busy evening: 20 teams text, two of them have nothing left, and a superadmin looks at the
Credits page of 100 teams every second."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import chain

from bench.harness import database, measure, run_process, server
from bench.report import Outcome
from bench.requests import Body, credits_page, sends
from bench.world import SUPERADMIN, TEXTER, add_contacts, cookies_of, make_world

TEAMS, WITHOUT_CREDITS = 100, 2
TEXTING = (*range(1, 19), 99, 100)
"""The last two have nothing left: a tenth of the requests is refused."""
CONTACTS = 2_500
CLIENTS = 64
SECONDS = 12


def run() -> Outcome:
    with database() as url:
        make_world(url, teams=TEAMS, without_credits=WITHOUT_CREDITS)
        spec = {"cookies": cookies_of(url, TEXTER), "seconds": SECONDS, "clients": CLIENTS}
        page = {"cookies": cookies_of(url, SUPERADMIN), "seconds": SECONDS, "clients": 1}
        page |= {"bodies": [credits_page(TEAMS)], "repeat": True, "every": 1}
        with server(url) as running, ThreadPoolExecutor() as threads:
            page |= {"ports": [running.port]}
            looking = threads.submit(run_process, "bench.load", page)
            sent = measure(url, [running], {**spec, "bodies": _texts(url)})
            looked = [round(second * 1000, 1) for second in looking.result()["seconds"]]
    middle, slowest = looked[len(looked) // 2], looked[-1]
    return Outcome(
        {
            "sendMessage, 20 teams (CPU in ms per request, the page included)": [asdict(sent)],
            "Credits page of 100 teams meanwhile, each second (ms)": [
                {"answers": len(looked), "p50": middle, "slowest": slowest}
            ],
        }
    )


def _texts(url: str) -> list[Body]:
    """Of all teams in turn by chance."""
    ids = add_contacts(url, CONTACTS, *TEXTING)
    bodies = list(
        chain.from_iterable(
            sends(ids[place * CONTACTS : (place + 1) * CONTACTS], assignment_id=team_id)
            for place, team_id in enumerate(TEXTING)
        )
    )
    random.Random(1).shuffle(bodies)
    return bodies
