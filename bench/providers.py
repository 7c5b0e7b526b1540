"""CPU time of handing a text to a provider over HTTP, by clients of several kinds. Twilio's twin,
in a process of its own, takes five milliseconds for each.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import uvloop
from aiohttp import ClientSession, encode_basic_auth

from bench.harness import SECRET
from bench.report import Figure, Outcome
from services.providers import MessagingService, OutgoingText, Report
from services.settings import Settings, load_settings
from services.twilio import open_twilio
from tests.servers import free_port
from tests.twilio_twin import ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID
from tests.world import encrypted

TEXTS, AT_ONCE = 2000, (1, 16, 64)
SERVICE = MessagingService(SERVICE_SID, ACCOUNT_SID, encrypted(AUTH_TOKEN, SECRET))
HEADERS = {"Authorization": encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
Hand = Callable[[OutgoingText], Awaitable[object]]
Client = Callable[[Settings], AbstractAsyncContextManager[Hand]]


@asynccontextmanager
async def ours(settings: Settings) -> AsyncIterator[Hand]:
    """The provider as the worker uses it."""
    async with open_twilio(settings, SECRET) as twilio:

        async def hand(text: OutgoingText) -> None:
            assert isinstance(await twilio.send(text), Report)

        yield hand


@asynccontextmanager
async def aiohttp_alone(settings: Settings) -> AsyncIterator[Hand]:
    async with ClientSession() as client:

        async def hand(text: OutgoingText) -> None:
            async with client.post(
                url_of(settings), data=form_of(text), headers=HEADERS
            ) as response:
                assert response.status == 201
                await response.json()

        yield hand


@asynccontextmanager
async def httpx_alone(settings: Settings) -> AsyncIterator[Hand]:
    async with httpx2.AsyncClient() as client:

        async def hand(text: OutgoingText) -> None:
            response = await client.post(url_of(settings), data=form_of(text), headers=HEADERS)
            assert response.status_code == 201
            response.json()

        yield hand


CLIENTS: dict[str, Client] = {
    "ours": ours,
    "aiohttp alone": aiohttp_alone,
    "httpx alone": httpx_alone,
}


def url_of(settings: Settings) -> str:
    return f"{settings.twilio_host}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


def form_of(text: OutgoingText) -> dict[str, str]:
    return {
        "To": text.cell,
        "Body": text.text,
        "MessagingServiceSid": SERVICE_SID,
        "ValidityPeriod": "3600",
        "StatusCallback": "http://127.0.0.1/twilio-message-report?message=1.abc",
    }


@contextmanager
def twin() -> Iterator[str]:
    """Its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.twilio_twin", "--port", str(port)]
    with subprocess.Popen([*command, "--default", "silent"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"ready\n" in process.stdout
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


async def measured(open_client: Client, settings: Settings, at_once: int) -> tuple[float, float]:
    """CPU in milliseconds per text, and texts per second."""
    now = datetime.now(UTC)
    send_before = now + timedelta(hours=1)
    waiting = iter(range(TEXTS))
    async with open_client(settings) as hand:

        async def hand_over() -> None:
            for number in waiting:
                cell = f"+1202555{number:04}"
                text = OutgoingText(
                    number, 1, cell, "Hi there!", send_before, now, "twilio", SERVICE
                )
                await hand(text)

        cpu, started = time.process_time(), time.perf_counter()
        await asyncio.gather(*(hand_over() for _ in range(at_once)))
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - started
    return round(cpu / TEXTS * 1000, 3), round(TEXTS / seconds)


def run() -> Outcome:
    rows = []
    costs: dict[tuple[str, int], float] = {}
    with twin() as address:
        settings = load_settings(
            default_service="twilio", twilio_host=address, base_url="http://127.0.0.1"
        )
        for at_once in AT_ONCE:
            for name, client in CLIENTS.items():
                cpu, per_second = uvloop.run(measured(client, settings, at_once))
                costs[name, at_once] = cpu
                rows.append(
                    {"client": name, "at once": at_once, "CPU ms": cpu, "texts/s": per_second}
                )
    ratio = round(costs["httpx alone", 64] / costs["ours", 64], 2)
    return Outcome(
        {f"Handing {TEXTS:,} texts to a provider that takes 5 ms": rows},
        [Figure("httpx alone / our client of Twilio, CPU", ratio, 1.5, "x", is_least=True)],
    )
