"""The command line: serve, worker, migrate, uninstall, seed, schema, credits, usage, texts, users,
tokens.

Commands import what only they need, so that the small ones start quickly.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession

from models.database import driver_connection, open_database
from server.databases import chosen_database, session_secret
from server.embedded_postgres import EmbeddedPostgresError
from server.errors import StartError
from server.log import configure_logging
from services.credit_guard import GuardStatus, guard_status, install_guard, remove_guard
from services.errors import ServiceError
from services.outbound_texts import Resolution, has_unfinished, list_unknown, resolve_unknown
from services.sessions import create_token, list_tokens, revoke_token
from services.settings import Settings, SettingsError, load_settings
from services.usage_day import REBUILT_DAYS, rebuild_usage, verify_usage
from services.users import create_user
from services.verification import verify_credits

Result = TypeVar("Result")

MOST_SHOWN = 100
"""Lines about drift."""


def _settings_help() -> str:
    lines = ["Settings, from the environment:"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f" [default: {field.default}]"
        lines.append(f"{name.upper()}: {field.description}{default}")
    return "\n\n".join(lines)


app = typer.Typer(
    name="python -m server",
    help="Spoke Credits: caps how many SMS segments each team may send.",
    epilog=_settings_help(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
credits = typer.Typer(help="The books.", no_args_is_help=True)
guard = typer.Typer(
    help="A trigger that debits the texts of Spoke's own server and workers, or refuses them.",
    no_args_is_help=True,
)
usage = typer.Typer(help="How much was texted.", no_args_is_help=True)
texts = typer.Typer(help="Texts on their way.", no_args_is_help=True)
users = typer.Typer(help="People.", no_args_is_help=True)
tokens = typer.Typer(help="Secrets by which scripts act for a person.", no_args_is_help=True)
app.add_typer(credits, name="credits")
credits.add_typer(guard, name="guard")
app.add_typer(usage, name="usage")
app.add_typer(texts, name="texts")
app.add_typer(users, name="users")
app.add_typer(tokens, name="tokens")


def main() -> None:
    """Every foreseen failure is one sentence on standard error and exit code 1."""
    try:
        app()
    except (SettingsError, EmbeddedPostgresError, StartError, ServiceError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def _settings() -> Settings:
    settings = load_settings()
    configure_logging(settings.log_level)
    return settings


@app.command()
def serve(
    worker: Annotated[bool, typer.Option(help="Run a worker beside the server.")] = False,
    migrate: Annotated[bool, typer.Option(help="Migrate the database first.")] = False,
) -> None:
    """Serve HTTP. Without DATABASE_URL: on an embedded database with demo data."""
    from server.serve import run

    settings = _settings()
    is_embedded = settings.database_url is None
    if is_embedded:
        print(f"Starting PostgreSQL in {settings.spoke_data_dir} ...", flush=True)
    with chosen_database(settings) as url:
        if migrate or is_embedded:
            _migrate(url)
        if is_embedded:
            asyncio.run(
                _in_transaction(settings, url, lambda session: _seed_if_empty(session, settings))
            )
        run(settings, url, session_secret(settings), with_worker=worker)


@app.command()
def worker() -> None:
    """Hand accepted texts to their providers and send mail, until stopped."""
    from server.worker import run_until_stopped

    settings = _settings()
    with chosen_database(settings) as url:
        run_until_stopped(settings, url, session_secret(settings))


@app.command()
def migrate() -> None:
    """Bring the database to the tables that this version needs. Spoke's own are not touched."""
    with chosen_database(_settings()) as url:
        _migrate(url)
    print("The database is up to date.")


@app.command()
def uninstall(
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Take our own tables away, with all credits and their ledger. Spoke's stay as they are."""
    from models.migrations import downgrade

    settings = _settings()
    if _with_session(settings, lambda s: _with_connection(s, has_unfinished)):
        raise StartError("Texts are still on their way: let a worker finish them first.")
    if not yes:
        typer.confirm("All credits, their ledger and usage will be gone. Go on?", abort=True)
    with chosen_database(settings) as url:
        downgrade(url)
    print("Our tables are gone; Spoke's are as they were.")


@app.command()
def seed() -> None:
    """Put demo people and teams into an empty database. Everybody's password is known then."""
    from server import demo

    settings = _settings()
    _with_session(settings, lambda session: demo.seed(session, settings))
    print(f"Demo people sign in with the password {demo.PASSWORD}: {', '.join(demo.EMAILS)}")


@app.command()
def schema(
    path: Annotated[Path, typer.Argument(help="Where to write.")] = Path("schema.graphql"),
) -> None:
    """Write the GraphQL schema to a file."""
    from schema.build import schema as graphql_schema

    path.write_text(graphql_schema.as_str() + "\n")
    print(f"Wrote {path}.")


@credits.command()
def verify() -> None:
    """Prove that every team's balance is what its ledger says; exit code 1 if not."""
    found = _with_session(_settings(), verify_credits)
    for drift in found.drifts:
        print(drift)
    print(f"{found.teams} teams, {found.entries} entries, {len(found.drifts)} with drift.")
    if found.drifts:
        raise typer.Exit(1)


@guard.command()
def install() -> None:
    """Put the guard on the table message, or bring it up to date. Takes effect at once."""
    settings = _settings()
    _with_session(settings, lambda session: install_guard(session, settings))
    print(f"The guard is installed: a text with media costs {settings.mms_credits}.")


@guard.command()
def remove() -> None:
    """Take the guard away. What it has debited stays so."""
    settings = _settings()
    _with_session(settings, lambda session: remove_guard(session, settings))
    print("The guard is not installed.")


@guard.command()
def status() -> None:
    """Say whether the guard is installed; exit code 1 where it has to be installed again."""
    settings = _settings()
    found = _with_session(settings, lambda session: guard_status(session, settings))
    print(f"The guard is {found}.")
    if found is GuardStatus.OUTDATED:
        print("It is another version's, has another MMS_CREDITS, or is turned off: install it.")
        raise typer.Exit(1)


@usage.command("verify")
def verify_usage_(
    days: Annotated[
        int | None, typer.Option(help="Only the last so many, today included. [default: all]")
    ] = None,
) -> None:
    """Compare usage with messages and ledger entries; exit code 1 if they differ."""
    drifts = _with_session(_settings(), lambda session: verify_usage(session, days=days))
    for drift in drifts[:MOST_SHOWN]:
        print(drift)
    print(f"{len(drifts)} rows of usage with drift.")
    if drifts:
        raise typer.Exit(1)


@usage.command("rebuild")
def rebuild_usage_(
    days: Annotated[
        int, typer.Option(help="The last so many, today included. Older messages may be gone.")
    ] = REBUILT_DAYS,
) -> None:
    """Make usage what messages and ledger entries say. Texts can be sent meanwhile."""
    changes = _with_session(
        _settings(), lambda session: rebuild_usage(session, days=days, with_ours=True)
    )
    print(f"{len(changes)} rows of usage changed.")


@texts.command()
def unknown() -> None:
    """List the texts of which nobody knows whether their provider took them."""
    found = _with_session(_settings(), lambda s: _with_connection(s, list_unknown))
    for one in found:
        print(
            f"{one.message_id}\tteam {one.team_id}\tto {one.contact_number or 'a deleted message'}"
            f"\thanded over {one.handed_at:%Y-%m-%d %H:%M} UTC\t{one.unknown_because}"
        )
    print(f"{len(found)} unknown.")


@texts.command()
def resolve(
    message_id: Annotated[int, typer.Argument(help="Its message's id, as listed.")],
    resolution: Annotated[
        Resolution,
        typer.Argument(
            help="What the provider's own records say. sent: it took the text. send-again: it "
            "did not, and the text may still go out. give-back: it did not; the team gets its "
            "credits back."
        ),
    ],
) -> None:
    """Settle by hand a text whose outcome is unknown."""
    _with_session(
        _settings(),
        lambda s: _with_connection(s, lambda c: resolve_unknown(c, message_id, resolution)),
    )
    print(f"Message {message_id}: {resolution}.")


@users.command()
def create_superadmin(
    email: Annotated[str, typer.Option(help="To sign in with.", prompt=True)],
    first_name: Annotated[str, typer.Option(prompt=True)],
    last_name: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[
        str,
        typer.Option(
            help="At least 8 characters; asked for if not given.",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            envvar="SUPERADMIN_PASSWORD",
        ),
    ],
) -> None:
    """Make a person with account-wide power."""
    user = _with_session(
        _settings(),
        lambda session: create_user(
            session,
            email=email,
            first_name=first_name,
            last_name=last_name,
            password=password,
            is_superadmin=True,
        ),
    )
    print(f"{user.email} is a superadmin now, with id {user.id}.")


@tokens.command("create")
def create(
    email: Annotated[str, typer.Option(help="For whom the script will act.")],
    name: Annotated[str, typer.Option(help="What the token is for.")],
) -> None:
    """Make a token for `Authorization: Bearer`. It is shown once."""
    print(_with_session(_settings(), lambda s: create_token(s, email=email, name=name)))


@tokens.command("list")
def list_() -> None:
    """Show the tokens that are not revoked, without their secrets."""
    for token, email in _with_session(_settings(), list_tokens):
        print(f"{token.id}\t{email}\t{token.name}\tmade {token.created_at:%Y-%m-%d %H:%M} UTC")


@tokens.command()
def revoke(token_id: Annotated[int, typer.Argument(help="Its id, as listed.")]) -> None:
    """Make a token worthless, at once."""
    _with_session(_settings(), lambda session: revoke_token(session, token_id=token_id))
    print(f"Token {token_id} is revoked.")


def _migrate(url: str) -> None:
    from models.migrations import upgrade

    upgrade(url)


def _with_session(settings: Settings, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    with chosen_database(settings) as url:
        return asyncio.run(_in_transaction(settings, url, work))


async def _with_connection(
    session: AsyncSession, work: Callable[[AsyncConnection], Awaitable[Result]]
) -> Result:
    return await work(await driver_connection(session))


async def _in_transaction(
    settings: Settings, url: str, work: Callable[[AsyncSession], Awaitable[Result]]
) -> Result:
    async with (
        open_database(url, pool_size=2, prepares=settings.database_prepare) as database,
        database.sessions() as session,
        session.begin(),
    ):
        return await work(session)


async def _seed_if_empty(session: AsyncSession, settings: Settings) -> None:
    from server import demo

    if not await demo.has_people(session):
        print("Making demo data ...", flush=True)
        await demo.seed(session, settings)
