"""A worker with short leases, for tests that kill it."""

import os
from datetime import timedelta

import uvloop

from server.text_worker import TextPace
from server.worker import Pace, run_worker
from services.settings import load_settings

PACE = Pace(
    look=0.2,
    texts=TextPace(
        lease=timedelta(seconds=3),
        hand_over=1.0,
        look=0.1,
        find_abandoned=0.2,
        look_up=0.2,
        look_up_after=timedelta(seconds=2),
    ),
)

if __name__ == "__main__":
    print("ready", flush=True)  # noqa: T201
    uvloop.run(
        run_worker(
            load_settings(), os.environ["DATABASE_URL"], os.environ["SESSION_SECRET"], pace=PACE
        )
    )
