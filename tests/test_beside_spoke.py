"""On an installed Spoke's database: migrate, text with Spoke's own session, and go back."""

import json
import subprocess
from functools import partial

import psycopg
import pytest

from bench.harness import postgres_program
from server.sessions import COOKIE, signed
from tests.api import SEND
from tests.conftest import SECRET
from tests.servers import Running, run, served

SID = "a-session-of-spoke"
SESS = {
    "cookie": {
        "originalMaxAge": 2592000000,
        "expires": "2099-01-01T00:00:00.000Z",
        "secure": False,
        "httpOnly": True,
        "path": "/",
    },
    "passport": {"user": 1},
}
SPOKES_ROWS = """
insert into "user" (auth0_id, first_name, last_name, cell, email)
  values ('localauth|x|y', 'Terry', 'Texter', '+15550000001', 'terry@example.org');
insert into user_organization (user_id, organization_id, role) values (1, 1, 'TEXTER');
insert into all_campaign (organization_id, title, is_started, is_archived, texting_hours_start,
  texting_hours_end) values (1, 'Saturday', true, false, 0, 24);
insert into assignment (user_id, campaign_id) values (1, 1);
insert into campaign_contact (campaign_id, assignment_id, cell)
  select 1, 1, '+1555000' || n from generate_series(1000, 1001) n;
"""
TURN_ON = """
insert into credit_account (team_id, enabled) values (1, true)
on conflict (team_id) do update set enabled = true
"""


def schema_of(url: str) -> str:
    dump = [str(postgres_program("pg_dump")), "--schema-only", "--restrict-key=x", url]
    return subprocess.run(dump, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def spokes_url(installed_spoke: str) -> str:
    with psycopg.connect(installed_spoke) as connection:
        connection.execute(SPOKES_ROWS)
        connection.execute(
            "insert into user_session (sid, sess, expire)"
            " values (%s, %s, now() + interval '30 days')",
            [SID, json.dumps(SESS)],
        )
    return installed_spoke


def text(running: Running, contact_id: int) -> str:
    """Sends one. Its code, if it was refused."""
    message = {"text": "Hi!", "assignmentId": "1"}
    response = running.client.post(
        "/graphql",
        json={"query": SEND, "variables": {"id": str(contact_id), "m": message}},
        headers={"Cookie": f"{COOKIE}={signed(SID, SECRET)}"},
    )
    answer = response.json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else ""


def test_migrate_text_and_go_back(spokes_url: str) -> None:
    command = partial(run, DATABASE_URL=spokes_url, SESSION_SECRET=SECRET)
    before = schema_of(spokes_url)
    assert command("migrate").returncode == 0
    with served(DATABASE_URL=spokes_url, SESSION_SECRET=SECRET) as running:
        assert text(running, 1) == ""
        with psycopg.connect(spokes_url) as connection:
            connection.execute(TURN_ON)
        assert text(running, 2) == "INSUFFICIENT_CREDITS"
    refused = command("uninstall", "--yes")
    assert (refused.returncode, refused.stderr) == (
        1,
        "Texts are still on their way: let a worker finish them first.\n",
    )
    with psycopg.connect(spokes_url) as connection:
        connection.execute("update outbound_text set state = 'DONE'")
    assert command("uninstall").returncode == 1  # nobody has said yes
    assert schema_of(spokes_url) != before
    assert command("uninstall", "--yes").returncode == 0
    assert schema_of(spokes_url) == before
    with psycopg.connect(spokes_url) as connection:
        kept = connection.execute("select text, send_status from message").fetchall()
    assert kept == [("Hi!", "SENDING")]
