import fcntl
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from server import embedded_postgres as module
from server.embedded_postgres import EmbeddedPostgresError, embedded_postgres

REPOSITORY = Path(__file__).parents[1]
SITE_PACKAGES = Path(sysconfig.get_path("platlib"))
RUN_UNTIL_EOF = """
import sys
from pathlib import Path
from server.embedded_postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another account")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal")


@pytest.fixture
def new_dir() -> Iterator[Path]:
    """Unlike root's tmp_path, a folder that the server's account can enter."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One with a database in it, for all tests that aren't about its creation: that takes time."""
    with temporary_folder() as folder:
        with embedded_postgres(folder):
            pass
        yield folder


@contextmanager
def temporary_folder(mode: int = 0o755) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="spoke-credits-test-"))
    folder.chmod(mode)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def another_process(
    data_dir: Path, python: str = sys.executable, user: pwd.struct_passwd | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the server until this block ends; its first line is the URL."""
    child = subprocess.Popen(
        [python, "-c", RUN_UNTIL_EOF, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{SITE_PACKAGES}"},
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=user and [],
    )
    try:
        yield child
    finally:
        child.communicate(timeout=30)


def url_from(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def keep(url: str, *rows: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept (row int)")
        for row in rows:
            connection.execute("INSERT INTO kept VALUES (%s)", [row])


def rows(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row for (row,) in connection.execute("SELECT row FROM kept ORDER BY row")]


def password_in(url: str) -> str:
    password = psycopg.conninfo.conninfo_to_dict(url)["password"]
    assert isinstance(password, str) and len(password) == 32
    return password


def postmaster(home: Path) -> int:
    """Its process id, 0 while it is none."""
    try:
        return int((home / "data" / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, IndexError):
        return 0


def processes(home: Path) -> list[int]:
    """The server's: all of them work in the folder of the cluster."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == home / "data":
                found.append(int(process.name))
        except OSError:
            pass
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def logged(caplog: pytest.LogCaptureFixture, text: str, times: int) -> bool:
    return caplog.text.count(text) == times


def test_rows_are_kept_from_start_to_start(new_dir: Path) -> None:
    with embedded_postgres(new_dir / "made" / "for me") as url:
        keep(url, 1)
    assert not answers(url)
    with embedded_postgres(new_dir / "made" / "for me") as url:
        assert rows(url) == [1]


def test_server_is_durable_local_and_private(data_dir: Path) -> None:
    with embedded_postgres(data_dir, settings={"work_mem": "5MB"}) as url:
        home = data_dir / "postgres"
        port = psycopg.conninfo.conninfo_to_dict(url)["port"]
        assert url == f"postgresql://spoke:{password_in(url)}@127.0.0.1:{port}/spoke_credits"
        with psycopg.connect(url) as connection:
            shown = {
                name: connection.execute(f"SHOW {name}").fetchone()
                for name in ("fsync", "max_connections", "work_mem", "listen_addresses")
            }
            locale = connection.execute(
                "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale"
                " FROM pg_database WHERE datname = current_database()"
            ).fetchone()
        assert shown == {
            "fsync": ("on",),
            "max_connections": ("200",),
            "work_mem": ("5MB",),
            "listen_addresses": ("127.0.0.1",),
        }
        assert locale == ("UTF8", "b", "C.UTF-8")
        assert not answers(url.replace(password_in(url), "wrong"))
        assert (home / "data").stat().st_mode & 0o777 == 0o700
        assert (home / "data").stat().st_uid != 0
        assert (home / "password").stat().st_mode & 0o777 == 0o600
        assert (home / "server.log").stat().st_mode & 0o777 == 0o600
        assert os.getsid(postmaster(home)) != os.getsid(0), "a Ctrl-C would reach the server"


def test_guest_shares_the_server_and_leaves_it_running(data_dir: Path) -> None:
    with another_process(data_dir) as one, another_process(data_dir) as other:
        host_url = url_from(one)
        assert url_from(other) == host_url
        with embedded_postgres(data_dir) as url:
            assert url == host_url
        assert answers(url)


def test_waiting_guest_starts_the_server_when_the_holder_is_gone(data_dir: Path) -> None:
    with (data_dir / "postgres" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        threading.Timer(0.5, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
        with embedded_postgres(data_dir) as url:
            assert answers(url)


@pytest.mark.long
@on_linux
def test_killed_parent_takes_the_server_with_it(data_dir: Path) -> None:
    home = data_dir / "postgres"
    with another_process(data_dir) as parent:
        url = url_from(parent)
        keep(url, *range(20))
        assert len(processes(home)) > 1
        parent.kill()
    with embedded_postgres(data_dir) as next_url:  # at once: the old one is still shutting down
        assert rows(next_url) == list(range(20))
    wait_until(lambda: not processes(home))


@pytest.mark.long
def test_killed_server_is_started_again(data_dir: Path) -> None:
    home = data_dir / "postgres"
    with embedded_postgres(data_dir) as url:
        keep(url, 1)
        killed = postmaster(home)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: postmaster(home) != killed and answers(url))
        assert rows(url) == [1]


@on_linux
def test_server_outlives_the_thread_that_asked_for_it(data_dir: Path) -> None:
    with ExitStack() as stack:
        server = embedded_postgres(data_dir)
        asking = threading.Thread(target=stack.enter_context, args=[server])
        asking.start()
        asking.join()
        started = postmaster(data_dir / "postgres")
        time.sleep(0.3)
        assert postmaster(data_dir / "postgres") == started


@pytest.mark.long
def test_server_that_keeps_dying_is_given_up(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = data_dir / "postgres"
    with embedded_postgres(data_dir) as url:
        for death in range(1, module.FAILURES + 1):
            wait_until(lambda: answers(url))
            os.kill(postmaster(home), signal.SIGKILL)
            wait_until(partial(logged, caplog, "PostgreSQL died", death))
        wait_until(partial(logged, caplog, "PostgreSQL is not started again", 1))
        assert not answers(url)


@pytest.mark.long
@on_linux
def test_interrupted_creation_is_done_again(new_dir: Path) -> None:
    home = new_dir / "postgres"
    with another_process(new_dir) as parent:
        wait_until(lambda: any(home.glob("new.*/PG_VERSION")))
        parent.kill()
    assert not (home / "data").exists()
    with embedded_postgres(new_dir) as url:
        keep(url, 1)
    with embedded_postgres(new_dir) as url:
        assert rows(url) == [1]
        assert not any(home.glob("new.*"))


def test_files_that_are_no_cluster_are_not_deleted(new_dir: Path) -> None:
    (new_dir / "postgres" / "data").mkdir(parents=True)
    (new_dir / "postgres" / "data" / "letter.txt").write_text("dear")
    with pytest.raises(EmbeddedPostgresError, match="not empty"), embedded_postgres(new_dir):
        pass
    assert (new_dir / "postgres" / "data" / "letter.txt").read_text() == "dear"


def test_wrong_setting_is_reported_soon(data_dir: Path) -> None:
    begun = time.monotonic()
    with (
        pytest.raises(EmbeddedPostgresError, match=r"server\.log"),
        embedded_postgres(data_dir, settings={"shared_buffers": "many"}),
    ):
        pass
    assert time.monotonic() - begun < 5
    assert (
        'invalid value for parameter "shared_buffers"'
        in (data_dir / "postgres" / "server.log").read_text()
    )


def test_port_taken_meanwhile_is_replaced(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = occupant.getsockname()[1]
        monkeypatch.setattr(module, "_free_port", iter([taken, module._free_port()]).__next__)
        with embedded_postgres(data_dir) as url:
            assert answers(url) and f":{taken}/" not in url


def test_missing_wheel_is_reported(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [path for path in sys.path if not (Path(path) / "embedded_postgres").is_dir()]
    monkeypatch.setattr(sys, "path", found)
    with (
        pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL or install"),
        embedded_postgres(new_dir),
    ):
        pass


def test_password_is_in_no_log(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    home = data_dir / "postgres"
    with embedded_postgres(data_dir) as url:
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT FROM missing")
        with embedded_postgres(data_dir):
            killed = postmaster(home)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: postmaster(home) != killed and answers(url))
    with embedded_postgres(data_dir):
        pass
    assert "PostgreSQL died" in caplog.text
    assert 'relation "missing" does not exist' in (home / "server.log.1").read_text()
    written = [caplog.text, *(path.read_text() for path in home.glob("server.log*"))]
    assert len(written) == 3
    assert not any(password_in(url) in text for text in written)


@as_root
def test_data_of_root_goes_where_the_account_can_enter(
    new_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ELSEWHERE", new_dir / "elsewhere")
    with temporary_folder(mode=0o700) as private:
        with embedded_postgres(private) as url:
            keep(url, 1)
        (cluster,) = module.ELSEWHERE.glob("*/data")
        assert str(cluster.parent) in caplog.text
        private.chmod(0o755)
        with embedded_postgres(private) as url:
            assert rows(url) == [1], "it does not move when the folder can be entered later"


@as_root
def test_database_that_cannot_be_entered_any_more_is_not_replaced(data_dir: Path) -> None:
    data_dir.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="chmod"), embedded_postgres(data_dir):
        pass
    data_dir.chmod(0o755)


@as_root
def test_programs_out_of_reach_are_copied_once(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []
    with temporary_folder(mode=0o700) as private:
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            (private / name).symlink_to(SITE_PACKAGES / name)
        monkeypatch.syspath_prepend(private)
        for _ in range(2):
            with embedded_postgres(data_dir) as url:
                assert answers(url)
            copies += [path.stat().st_ino for path in (data_dir / "postgres").glob("embedded-*")]
    assert len(copies) == 2 and copies[0] == copies[1]


@as_root
def test_plain_user_needs_nobody_else(new_dir: Path) -> None:
    user = pwd.getpwnam("nobody")
    shutil.chown(new_dir, user.pw_uid, user.pw_gid)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}"):
        try:
            with another_process(new_dir, python, user) as child:
                url = url_from(child)
                assert answers(url)
                assert (new_dir / "postgres" / "data").stat().st_uid == user.pw_uid
                # root beside a plain user is its guest
                with embedded_postgres(new_dir) as guest_url:
                    assert guest_url == url
            return
        except PermissionError:
            continue
    pytest.skip(f"nobody can't reach {sys.executable} nor another {version}")
