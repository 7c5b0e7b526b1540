"""What Twilio reports of texts, over HTTP: believed only from Twilio, and harmless however often
and in whichever order it comes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urldefrag

import httpx2
import pytest
import uvicorn
from structlog.testing import capture_logs

from models.database import Database
from server.app import create_app
from server.resources import Resources, open_resources
from server.text_worker import text_worker
from services.send_statement import write_sends
from services.settings import Settings, load_settings
from services.twilio_signatures import ReportedText, report_address
from tests.conftest import SECRET
from tests.servers import free_port
from tests.test_text_worker import QUICK, eventually, until
from tests.twilio_twin import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    SERVICE_SID,
    TwilioTwin,
    twilio_signature,
    twilio_twin,
)
from tests.world import (
    Team,
    add_messaging_service,
    books,
    changed_tables,
    holding,
    make_send,
    make_team,
    of_cost,
    rows,
    state,
    value,
)

ADDRESS = "https://spoke.example"
ACCEPTED_AT = datetime(2026, 11, 1, 12, 30, 15, 123456, UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(spoke_data_dir=tmp_path, default_service="twilio", base_url=ADDRESS)


@pytest.fixture
async def resources(database_url: str, settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, database_url, SECRET) as resources:
        yield resources


@pytest.fixture
async def team(database: Database) -> Team:
    return await make_texting_team(database)


async def make_texting_team(database: Database) -> Team:
    team = await make_team(database, contacts=30, credits=100)
    await add_messaging_service(
        database, team.id, SERVICE_SID, SECRET, account=(ACCOUNT_SID, AUTH_TOKEN)
    )
    return team


async def accept(
    database: Database, team: Team, *texts: str, sid: str | None = SERVICE_SID, cost: int = 1
) -> list[int]:
    """Texts of that cost, each to another contact, accepted at ACCEPTED_AT."""
    sends = [
        make_send(team, position, cost=cost, text=text, service="twilio", messaging_service_sid=sid)
        for position, text in enumerate(texts)
    ]
    async with database.pool.connection() as connection:
        ids = [one.message_id or 0 for one in await write_sends(connection, sends)]
        await connection.execute(
            "update outbound_text set created_at = %s where message_id = any(%s)",
            [ACCEPTED_AT, ids],
        )
    return ids


def a_form(status: str, sid: str = "SM1", **more: str) -> dict[str, str]:
    return {
        "MessageSid": sid,
        "MessageStatus": status,
        "AccountSid": ACCOUNT_SID,
        "MessagingServiceSid": SERVICE_SID,
        "From": "+12025550000",
        "To": "+12025550001",
        "ApiVersion": "2010-04-01",
        **more,
    }


async def report(
    client: httpx2.AsyncClient,
    message_id: int,
    form: dict[str, str],
    *,
    token: str = AUTH_TOKEN,
    secret: str = SECRET,
    accepted_at: datetime = ACCEPTED_AT,
    **changes: Any,
) -> httpx2.Response:
    """As Twilio does it; `changes`: to the request after it was signed."""
    text = ReportedText(message_id, accepted_at)
    url, _ = urldefrag(report_address(ADDRESS, secret, text))
    headers = {"X-Twilio-Signature": twilio_signature(url, form, token)}
    request = {"url": url.removeprefix(ADDRESS), "data": form, "headers": headers} | changes
    return await client.post(**request)


async def status_of(database: Database, message_id: int) -> Any:
    return await value(database, "select send_status from message where id = %(id)s", id=message_id)


@pytest.mark.parametrize(
    ("word", "expected", "balance"),
    [
        ("accepted", "SENT", 99),
        ("scheduled", "SENT", 99),
        ("queued", "SENT", 99),
        ("sending", "SENT", 99),
        ("sent", "SENT", 99),
        ("a word of tomorrow", "SENT", 99),
        ("delivered", "DELIVERED", 99),
        ("read", "DELIVERED", 99),
        ("undelivered", "ERROR", 99),
        ("failed", "ERROR", 100),
        ("canceled", "ERROR", 100),
    ],
)
async def test_each_status_is_understood(
    client: httpx2.AsyncClient,
    database: Database,
    team: Team,
    word: str,
    expected: str,
    balance: int,
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    answer = await report(client, message_id, a_form(word))
    assert (answer.status_code, answer.content) == (204, b"")
    assert await status_of(database, message_id) == expected
    assert (await books(database, team.id)).balance == balance
    assert await value(database, "select service_id from message") == "SM1"


async def test_what_went_wrong_is_kept(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    await report(client, message_id, a_form("undelivered", ErrorCode="30003", Long="x" * 5000))
    [message] = await rows(database, "select *, service_response::jsonb as said from message")
    assert message.error_codes == ["30003"]
    assert message.said[0]["ErrorCode"] == "30003"
    assert len(message.said[0]["Long"]) == 1000


@pytest.mark.parametrize(
    ("count", "balance", "segments"),
    [
        ("2", 98, 2),
        ("4", 96, 4),
        ("3", 97, 3),
        ("0", 97, 3),
        ("", 97, 3),
        ("-1", 97, 3),
        ("99999", 97, 3),
        ("two", 97, 3),
    ],
)
async def test_a_count_is_settled_where_it_is_one(
    client: httpx2.AsyncClient,
    database: Database,
    team: Team,
    count: str,
    balance: int,
    segments: int,
) -> None:
    [message_id] = await accept(database, team, of_cost(3), cost=3)
    answer = await report(client, message_id, a_form("delivered", NumSegments=count))
    assert answer.status_code == 204
    assert (await books(database, team.id)).balance == balance
    assert await value(database, "select num_segments from message") == segments


async def test_repeated_and_reordered_reports_are_harmless(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    [failed, delivered] = await accept(database, team, of_cost(2), of_cost(2), cost=2)
    words = ["delivered", "queued", "sent", "delivered", "sent", "delivered", "accepted"]
    late = [report(client, delivered, a_form(word, NumSegments="1")) for word in words]
    many = [report(client, failed, a_form("failed", "SM2", ErrorCode="30007")) for _ in range(8)]
    answers = await asyncio.gather(*late, *many)
    assert {answer.status_code for answer in answers} == {204}
    assert await status_of(database, delivered) == "DELIVERED"
    assert await status_of(database, failed) == "ERROR"
    assert (await books(database, team.id)).balance == 99
    assert await value(
        database, "select error_codes from message where id = %(id)s", id=failed
    ) == ["30007"]


def as_json(answer: httpx2.Response) -> tuple[int, str]:
    [error] = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"]


FORGED: Sequence[Any] = (
    {"secret": "a secret of somebody else"},
    {"token": "a token of somebody else"},
    {"headers": {}},
    {"headers": {"X-Twilio-Signature": ""}},
    {"url": "/twilio-message-report"},
    {"url": "/twilio-message-report?message="},
    {"url": "/twilio-message-report?message=1"},
    {"data": MappingProxyType(a_form("failed", To="+12025550002"))},
    {"data": MappingProxyType(a_form("delivered"))},
    {"data": MappingProxyType({**a_form("failed"), "MessagingServiceSid": "MG2"})},
)


@pytest.mark.parametrize("changes", FORGED)
async def test_forged_reports_change_nothing(
    client: httpx2.AsyncClient, database: Database, team: Team, changes: dict[str, Any]
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    before = await state(database)
    answer = await report(client, message_id, a_form("failed"), **changes)
    assert as_json(answer) == (403, "FORBIDDEN")
    assert changed_tables(before, await state(database)) == set()


async def test_one_texts_report_is_not_for_another(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    """The address of a text is known to the account that sends it, and to nobody else."""
    other = await make_team(database, credits=10)
    await add_messaging_service(database, other.id, "MG2", SECRET, account=("AC2", "token 2"))
    [ours] = await accept(database, team, "Hi!")
    [theirs] = await accept(database, other, "Hi!", sid="MG2")
    before = await state(database)
    for message_id, token in ((ours, "token 2"), (theirs, AUTH_TOKEN)):
        answer = await report(client, message_id, a_form("failed"), token=token)
        assert as_json(answer) == (403, "FORBIDDEN")
    assert changed_tables(before, await state(database)) == set()


async def test_reports_of_a_service_that_was_removed_are_still_taken(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    await rows(database, "delete from messaging_service")
    answer = await report(client, message_id, a_form("delivered"), token="unknown by now")
    assert answer.status_code == 204
    assert await status_of(database, message_id) == "DELIVERED"


async def test_reports_of_a_text_that_had_its_id_before_are_not_its_own(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    """A backup was restored, and ids were handed out anew."""
    [message_id] = await accept(database, team, "Hi!")
    before = await state(database)
    earlier = ACCEPTED_AT - timedelta(microseconds=1)
    answer = await report(client, message_id, a_form("failed"), accepted_at=earlier)
    assert answer.status_code == 204
    assert changed_tables(before, await state(database)) == set()


async def test_a_token_that_can_not_be_read_lets_nobody_in(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    await rows(database, "update messaging_service set encrypted_auth_token = ''")
    for token in (AUTH_TOKEN, ""):
        with capture_logs() as logs:
            answer = await report(client, message_id, a_form("delivered"), token=token)
        assert as_json(answer) == (403, "FORBIDDEN")
        assert logs[0]["event"] == "auth_token_unreadable"
    assert await status_of(database, message_id) == "SENDING"


async def test_reports_of_texts_that_are_not_ours_are_ignored(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    before = await state(database)
    assert (await report(client, 4711, a_form("failed"))).status_code == 204
    assert changed_tables(before, await state(database)) == set()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff=1", (400, "BAD_REQUEST")),
        (b"&".join(b"a%d=1" % number for number in range(201)), (400, "BAD_REQUEST")),
        (b"a=" + b"x" * 300_000, (413, "PAYLOAD_TOO_LARGE")),
        (b"", (403, "FORBIDDEN")),
    ],
)
async def test_what_is_no_form_is_refused(
    client: httpx2.AsyncClient,
    database: Database,
    team: Team,
    content: bytes,
    expected: tuple[int, str],
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    answer = await report(client, message_id, a_form("failed"), data=None, content=content)
    assert as_json(answer) == expected
    assert as_json(await client.get("/twilio-message-report")) == (405, "METHOD_NOT_ALLOWED")


async def test_twilio_comes_again_when_the_database_is_away(
    client: httpx2.AsyncClient, resources: Resources, database: Database, team: Team
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    await resources.database.pool.close()
    answer = await report(client, message_id, a_form("failed"))
    assert as_json(answer) == (503, "SERVICE_UNAVAILABLE")


async def test_logs_tell_of_a_report_and_never_its_secrets(
    client: httpx2.AsyncClient, database: Database, team: Team
) -> None:
    [message_id] = await accept(database, team, "Hi!")
    with capture_logs() as logs:
        await report(client, message_id, a_form("delivered"))
        await report(client, message_id, a_form("failed"), token="forged")
    [line, refused, last] = logs
    assert (line["message_id"], line["reported"], line["status"]) == (message_id, "DELIVERED", 204)
    assert (refused["event"], last["status"]) == ("not_from_twilio", 403)
    assert "message=" not in str(logs)
    assert AUTH_TOKEN not in str(logs)


# From the queue to Twilio and back, over HTTP


@asynccontextmanager
async def sending_by(
    database_url: str, twin: TwilioTwin, **given: Any
) -> AsyncIterator[tuple[Database, Team]]:
    """A server, a worker and a team, on the twin."""
    port = free_port()
    settings = load_settings(
        default_service="twilio",
        base_url=f"http://127.0.0.1:{port}",
        twilio_host=twin.url,
        twilio_texts_per_second=10_000,
        **given,
    )
    config = uvicorn.Config(
        create_app(settings, url=database_url, secret=SECRET), port=port, log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with open_resources(settings, database_url, SECRET) as resources:
        database = resources.database
        team = await make_texting_team(database)
        await eventually(lambda: server.started)
        async with text_worker(database.pool, settings, SECRET, QUICK):
            yield database, team
    server.should_exit = True
    await serving


async def test_reports_of_others_are_taken_while_somebody_holds_a_team(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    """Twilio comes again with those of the team."""
    database = resources.database
    held, fine = await make_texting_team(database), await make_team(database, credits=5)
    [stuck] = await accept(database, held, "Hi!")
    [other] = await accept(database, fine, "Hi!")
    account = "select from credit_account where team_id = %(team)s for update"
    async with holding(database, account, team=held.id):
        answers = await asyncio.gather(
            report(client, stuck, a_form("failed")), report(client, other, a_form("failed", "SM2"))
        )
    assert [answer.status_code for answer in answers] == [503, 204]
    assert (await report(client, stuck, a_form("failed"))).status_code == 204


async def test_texts_go_to_twilio_and_reports_come_back(database_url: str) -> None:
    expected = {
        "delivered": ("DELIVERED", None),
        "undelivered": ("ERROR", ["30003"]),
        "failed": ("ERROR", ["30007"]),
        "refused": ("ERROR", ["21610"]),
        "silent": ("SENT", None),
        "repeated": ("DELIVERED", None),
        "reordered": ("DELIVERED", None),
        "counted-more": ("DELIVERED", None),
        "breaks-accepted": ("DELIVERED", None),  # unknown, until its report comes
        "server-error-accepted": ("DELIVERED", None),
    }
    with twilio_twin() as twin:
        async with sending_by(database_url, twin) as (database, team):
            ids = await accept(database, team, *(f"Hi twin:{word}" for word in expected))
            await until(database, "select count(*) from outbound_text where state <> 'DONE'", 0)
            await twin.settled()
            found = await rows(
                database, "select id, send_status, error_codes, service_id from message"
            )
        by_id = {row.id: row for row in found}
        for message_id, (word, outcome) in zip(ids, expected.items(), strict=True):
            row = by_id[message_id]
            assert (row.send_status, row.error_codes) == outcome, word
        assert {callback.answer for callback in twin.callbacks} == {204}
        assert sorted(row.service_id for row in found if row.service_id) == sorted(
            text.sid for text in twin.accepted
        )
        # Two gave theirs back, and one cost another.
        assert len(twin.accepted_for(team.cells[0])) == 1
    async with open_resources(load_settings(), database_url, SECRET) as resources:
        assert (await books(resources.database, team.id)).balance == 100 - len(expected) + 2 - 1
