"""The command line, as an operator uses it: real processes on a real database."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest

from services.settings import Settings, SettingsError, load_settings
from tests.conftest import SECRET
from tests.servers import free_port, inherited, run

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(database_url: str) -> Command:
    """Runs a command on an empty migrated database."""
    return partial(run, DATABASE_URL=database_url, SESSION_SECRET=SECRET)


@pytest.fixture
def demo_command(demo_url: str) -> Command:
    """Runs a command on the demo data."""
    return partial(run, DATABASE_URL=demo_url, SESSION_SECRET=SECRET)


def test_help_lists_commands_and_settings() -> None:
    shown = run("--help").stdout
    for name in (
        "serve", "worker", "migrate", "seed", "schema", "credits", "usage", "texts", "users",
        "tokens",
    ):  # fmt: skip
        assert name in shown
    for name in Settings.model_fields:
        assert name.upper() in shown


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("MMS_CREDITS", "0"),
        ("CREDITS_MAX_PER_PURCHASE", str(2**31)),
        ("CREDITS_VISIBLE_TO", "EVERYBODY"),
        ("BASE_URL", "example.org"),
        ("BASE_URL", "https://example.org/spoke"),
        ("SESSION_SECRET", "hunter2"),
        ("SENDGRID_API_KEY", "hunter2 hunter2"),
        ("LOG_LEVEL", "LOUD"),
        ("MAIL_FROM", "nobody"),
    ],
)
def test_a_wrong_setting_is_named_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{name}: .*\.$") as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


def test_a_line_feed_that_came_along_with_a_secret_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "hunter2\n")
    key = load_settings().sendgrid_api_key
    assert key is not None and key.get_secret_value() == "hunter2"


def test_wrong_settings_stop_the_start() -> None:
    result = run("serve", PORT="eighty", MMS_CREDITS="0")
    assert result.returncode == 1
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "PORT",
        "MMS_CREDITS",
    ]


def test_a_database_of_ones_own_needs_a_secret_of_ones_own() -> None:
    with pytest.raises(SettingsError, match="SESSION_SECRET must be set"):
        load_settings(database_url="postgresql://u:p@127.0.0.1/d")


def test_schema_writes_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "schema.graphql"
    assert run("schema", str(path)).returncode == 0
    assert path.read_text() == Path("schema.graphql").read_text()


def test_migrate_says_that_it_is_done(command: Command) -> None:
    assert command("migrate").stdout == "The database is up to date.\n"


def test_seed_fills_an_empty_database_once(command: Command) -> None:
    assert command("seed").returncode == 0
    again = command("seed")
    assert again.returncode == 1
    assert "has users" in again.stderr
    verified = command("credits", "verify")
    assert verified.returncode == 0
    assert "12 teams" in verified.stdout
    assert "0 with drift" in verified.stdout


def test_verify_shows_drift_and_fails(demo_command: Command, demo_url: str) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute("update credit_account set balance = balance + 1 where team_id = 2")
        connection.execute("update credit_account set purchased = 0 where team_id = 4")
        connection.execute("alter table credit_entry disable trigger all")
        connection.execute(
            "update credit_entry set balance_after = 0 "
            "where id = (select min(id) from credit_entry where team_id = 5)"
        )
    result = demo_command("credits", "verify")
    assert result.returncode == 1
    assert "team 2 (Harbor Tenants Union): balance 1, entries add up to 0" in result.stdout
    assert "purchased 0, purchases add up to 400" in result.stdout
    assert "2 broken links" in result.stdout
    assert "3 with drift" in result.stdout


def test_the_guard_is_installed_and_removed(command: Command, database_url: str) -> None:
    assert command("credits", "guard", "status").stdout == "The guard is not installed.\n"
    for _ in range(2):
        assert "is installed" in command("credits", "guard", "install").stdout
    assert command("credits", "guard", "status").stdout == "The guard is installed.\n"
    outdated = command("credits", "guard", "status", MMS_CREDITS="9")
    assert (outdated.returncode, outdated.stdout.splitlines()[0]) == (1, "The guard is outdated.")
    assert "not installed" in command("credits", "guard", "remove").stdout
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select from pg_trigger where tgname = 'credits_guard'")
        assert found.fetchall() == []


def test_usage_is_verified_and_rebuilt(demo_command: Command, demo_url: str) -> None:
    verified = demo_command("usage", "verify")
    assert (verified.returncode, verified.stdout) == (0, "0 rows of usage with drift.\n")
    with psycopg.connect(demo_url) as connection:
        connection.execute("update usage_day set texts = texts + 2 where team_id = 1")
        connection.execute("delete from usage_day where team_id = 4 and is_ours")
    drifted = demo_command("usage", "verify")
    assert drifted.returncode == 1
    *lines, total = drifted.stdout.splitlines()
    assert total == f"{len(lines)} rows of usage with drift."
    assert re.search(
        r"team 1, campaign 13, \d{4}-\d\d-\d\d \(UTC\), .*: to be right, texts -2$", lines[0]
    )
    assert re.search(r"that we accepted: to be right, texts \+3, segments \+9, ", lines[-1])
    recent = demo_command("usage", "verify", "--days", "3").stdout.splitlines()
    assert 1 < len(recent) < len(lines)
    assert (
        demo_command("usage", "rebuild", "--days", "3").stdout
        == f"{len(recent) - 1} rows of usage changed.\n"
    )
    assert demo_command("usage", "rebuild", "--days", "30").returncode == 0
    assert demo_command("usage", "verify").returncode == 0
    assert "days must be from 1" in demo_command("usage", "rebuild", "--days", "0").stderr


@pytest.mark.long
def test_python_m_server_serves_until_it_is_stopped(demo_url: str) -> None:
    """Other tests do what the command does in copies of a process that has imported it all."""
    environment = {"DATABASE_URL": demo_url, "SESSION_SECRET": SECRET, "PORT": str(free_port())}
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve"],
        env=inherited() | environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "ready\n" in process.stdout
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_serve_refuses_to_show_demo_people_to_the_network(demo_command: Command) -> None:
    result = demo_command("serve", HOST="0.0.0.0", PORT="1")
    assert result.returncode == 1
    assert "demo people" in result.stderr


def test_serve_says_when_the_port_is_taken(command: Command, postgres: str) -> None:
    taken = postgres.rpartition(":")[2].partition("/")[0]
    result = command("serve", PORT=taken)
    assert result.returncode == 1
    assert "set HOST or PORT" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_superadmin_and_a_token_are_made_and_revoked(command: Command) -> None:
    arguments = ("--email", "sam@example.net", "--first-name", "Sam", "--last-name", "S")
    made = command("users", "create-superadmin", *arguments, SUPERADMIN_PASSWORD="long enough")
    assert "sam@example.net is a superadmin" in made.stdout
    taken = command("users", "create-superadmin", *arguments, SUPERADMIN_PASSWORD="long enough")
    assert "already taken" in taken.stderr
    short = command("users", "create-superadmin", *arguments, SUPERADMIN_PASSWORD="short")
    assert "at least 8" in short.stderr
    token = command("tokens", "create", "--email", "sam@example.net", "--name", "reports").stdout
    listed = command("tokens", "list").stdout
    assert "reports" in listed
    assert token.strip() not in listed
    assert command("tokens", "revoke", "1").returncode == 0
    assert command("tokens", "list").stdout == ""
    assert "no such token" in command("tokens", "revoke", "1").stderr
    nobody = command("tokens", "create", "--email", "nobody@example.net", "--name", "x")
    assert nobody.returncode == 1


def test_texts_whose_outcome_is_unknown_are_listed_and_settled(
    command: Command, database_url: str
) -> None:
    assert command("texts", "unknown").stdout == "0 unknown.\n"
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into outbound_text (message_id, team_id, user_id, contact_id, state, handed_at,"
            " unknown_because) values (7, 1, 1, 1, 'UNKNOWN', '2026-11-22 12:00Z', 'It hung up.')"
        )
    listed = command("texts", "unknown").stdout
    assert "7\tteam 1\tto a deleted message\thanded over 2026-11-22 12:00 UTC" in listed
    assert "It hung up.\n1 unknown." in listed
    assert "Usage" in command("texts", "resolve", "7", "whatever").stderr
    assert command("texts", "resolve", "7", "sent").stdout == "Message 7: sent.\n"
    refused = command("texts", "resolve", "7", "sent")
    assert (refused.returncode, refused.stderr) == (
        1,
        "Message 7 is not a text whose outcome is unknown.\n",
    )
