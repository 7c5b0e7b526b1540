"""What PostgreSQL and HTTP in Python allow at most, and how far from it we are.

The same texts are written by pgbench, one per statement, and by our group commit, all without HTTP.
A route that answers the same bytes as sendMessage shows what HTTP alone costs.
"""

import re
import subprocess
from dataclasses import asdict

from bench.harness import (
    Measured,
    ask,
    count,
    database,
    floor,
    measure,
    postgres_cpu_seconds,
    postgres_program,
    run_process,
    server,
)
from bench.report import Figure, Outcome, Row
from bench.requests import sends
from bench.world import TEXTER, add_contacts, cookies_of, make_world
from services import send_statement

CLIENTS = 64
SECONDS = 3
MOST_PER_SECOND = {"pgbench": 10_000, "group commit": 20_000, "HTTP": 5_000}
"""As many contacts are made."""

# One client walks through contacts of its own; with many teams, also in a team of its own.
_WALK = """
\\set team 1 + :many * :client_id
\\set contact :first + :client_id * :each + :walked
\\set walked :walked + 1
"""
_ONE_TEXT = """
with account as (
  update credit_account set balance = balance - 1, updated_at = now()
  where team_id = :team and enabled and balance >= 1
  returning balance
),
contact as (
  update campaign_contact
  set message_status = case
    when message_status in ('needsMessage', 'messaged') then 'messaged' else 'convo' end
  from account
  where id = :contact and assignment_id = :team
    and archived is not true and is_opted_out is not true
  returning id
),
text as (
  insert into message (campaign_contact_id, assignment_id, user_id, contact_number,
    is_from_contact, text, service, send_status, send_before, num_segments, num_media)
  select id, :team, 2, '+12025550123', false, 'Hi ' || id || ', will you come?', 'fakeservice',
    'SENDING', now() + interval '1 hour', 1, 0
  from contact
  returning id
),
queued as (
  insert into outbound_text (message_id, team_id, user_id, contact_id)
  select id, :team, 2, :contact from text
),
entered as (
  insert into credit_entry (team_id, kind, amount, balance_after, message_id, actor_id)
  select :team, 'SEND', -1, account.balance, text.id, 2 from account, text
)
select id from text;
"""
_SENDS = """json_build_array(json_build_object(
  'team_id', :team::int, 'contact_id', :contact::int, 'contact_assignment_id', :team::int,
  'assignment_id', :team::int, 'user_id', 2, 'contact_number', '+12025550123',
  'text', 'Hi ' || :contact::text || ', will you come?', 'cost', 1, 'segments', 1, 'media', 0,
  'send_before', now() + interval '1 hour', 'campaign_variable_ids', json_build_array(),
  'forced', false
))"""
STATEMENTS = {
    # The ordinary way, by hand, for one text of one segment.
    "one CTE": _ONE_TEXT,
    "ours, batches of one": send_statement._STATEMENT % {"sends": _SENDS, "lock_timeout": "'10s'"}
    + ";",
}

_TEXTS = "select count(*) from message"


def run() -> Outcome:
    with database() as url:
        make_world(url, teams=CLIENTS)
        before = count(url, _TEXTS)
        written = [
            _pgbench(url, name, many_teams=many) for many in (True, False) for name in STATEMENTS
        ]
        written.append(_group_commit(url))
        assert count(url, _TEXTS) - before == sum(row["texts"] for row in written)
        sent, nothing = _over_http(url)
    ratio = round(written[-1]["per_second"] / written[0]["per_second"], 2)
    times = round(sent.server_cpu / nothing.server_cpu, 2)
    http = [{"route": "sendMessage", **asdict(sent)}, {"route": "floor", **asdict(nothing)}]
    return Outcome(
        {
            f"Writing texts without HTTP, {CLIENTS} clients (CPU in ms per text)": written,
            f"The same bytes over HTTP, {CLIENTS} clients (CPU in ms per request)": http,
        },
        [
            Figure("group commit, one team / one CTE, many teams", ratio, 2, "x", is_least=True),
            Figure("send / floor, server CPU", times, 6, "x"),
        ],
    )


def _pgbench(url: str, name: str, *, many_teams: bool) -> Row:
    """`many_teams`: as many as clients, so that nobody waits for another's account."""
    team_ids = range(1, CLIENTS + 1) if many_teams else [1]
    texts = MOST_PER_SECOND["pgbench"] * SECONDS
    ids = add_contacts(url, texts // len(team_ids), *team_ids)
    variables = {"many": int(many_teams), "first": ids.start, "each": texts // CLIENTS, "walked": 0}
    command = [str(postgres_program("pgbench")), "-n", "-M", "prepared", "-f", "-", url]
    command += ["-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS)]
    command += [f"-D{variable}={value}" for variable, value in variables.items()]
    script = _WALK + STATEMENTS[name]
    before = postgres_cpu_seconds(url)
    said = subprocess.run(command, input=script, stdout=subprocess.PIPE, text=True, check=True)
    written = int(re.findall(r"actually processed: (\d+)", said.stdout)[0])
    per_second = float(re.findall(r"tps = ([\d.]+)", said.stdout)[0])
    return _row(url, f"pgbench, {name}", len(team_ids), written, per_second, before)


def _group_commit(url: str) -> Row:
    ids = add_contacts(url, MOST_PER_SECOND["group commit"] * SECONDS, 1)
    spec = {"url": url, "callers": CLIENTS, "first": ids.start, "count": len(ids)}
    before = postgres_cpu_seconds(url)
    said = run_process("bench.callers", {**spec, "seconds": SECONDS})
    return _row(url, "group commit", 1, said["texts"], said["texts"] / said["elapsed"], before)


def _row(
    url: str, writes: str, teams: int, texts: int, per_second: float, cpu_before: float
) -> Row:
    """`cpu_before`: PostgreSQL's, in seconds. It includes what connecting costs."""
    return {
        "writes": writes,
        "teams": teams,
        "texts": texts,
        "per_second": round(per_second, 1),
        "postgres_cpu": round((postgres_cpu_seconds(url) - cpu_before) / texts * 1000, 3),
    }


def _over_http(url: str) -> tuple[Measured, Measured]:
    """A send, and a route that answers the same."""
    ids = add_contacts(url, MOST_PER_SECOND["HTTP"] * SECONDS, 1)
    cookies = cookies_of(url, TEXTER)
    spec = {"cookies": cookies, "clients": CLIENTS, "seconds": SECONDS, "bodies": sends(ids[1:])}
    with server(url) as running:
        answer = ask(running, cookies[0], sends(ids[:1])[0])
        sent = measure(url, [running], spec)
    with floor(answer) as running:
        return sent, measure(None, [running], {**spec, "repeat": True})
