"""Spoke's client, served from a build of it."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from websockets.exceptions import InvalidStatus

from server.app import create_app
from server.errors import StartError
from server.resources import Resources
from services.settings import Settings, SettingsError, load_settings
from tests.conftest import SECRET
from tests.sockets import listening, socket_to

HASHED = "/assets/bundle.0123abcd.js"
UNHASHED = "/assets/offline.html"
SCRIPT = "console.log('Spoke');" * 100
UNSAFE = "</script><script>alert(1)</script><!-- & \u2028"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """As small as a build can be."""
    folder = tmp_path / "client"
    files = {
        "assets/assets.json": orjson.dumps(
            {"bundle.js": "bundle.0123abcd.js", "offline.html": "offline.html"}
        ),
        "assets/bundle.0123abcd.js": SCRIPT.encode(),
        "assets/packed.4567abcd.js": b"plain",
        "assets/packed.4567abcd.js.br": b"as brotli",
        "assets/packed.4567abcd.js.gz": gzip.compress(b"plain"),
        "assets/offline.html": b"<p>offline",
        "service-worker.js": b"self.skipWaiting()",
        "favicon.ico": b"icon",
        ".secret": b"hidden",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (tmp_path / "outside.js").write_text("outside")
    (folder / "assets" / "link.js").symlink_to(tmp_path / "outside.js")
    return folder


@pytest.fixture
def settings(build: Path, tmp_path: Path) -> Settings:
    return load_settings(
        spoke_data_dir=tmp_path,
        spoke_client_dir=build,
        spoke_version="10.4.0",
        alternate_login_url=UNSAFE,
        enable_campaign_groups=True,
    )


@pytest.fixture
async def port(resources: Resources) -> AsyncIterator[int]:
    async with listening(resources) as port:
        yield port


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/admin/1/campaigns", "/app/1/todos/2/text", "/invite/abc", "/a-b/join", "/x"],
)
async def test_pages_are_the_clients(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    assert '<div id="mount"></div>' in answer.text
    assert f'<script src="{HASHED}"></script>' in answer.text
    assert answer.headers.get_list("x-spoke-version") == ["10.4.0"]


async def test_the_page_tells_the_client_its_settings(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/")).text
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    told: dict[str, Any] = {}
    for line in script.split("\n"):
        [(name, value)] = re.findall(r"^window\.([A-Z0-9_]+)=(.*);$", line)
        told[name] = orjson.loads(value)
    assert told == (await client.get("/settings/instance")).json()
    assert told["SPOKE_VERSION"] == "10.4.0"
    assert told["BASE_URL"] == "http://127.0.0.1:8000"
    assert told["GRAPHQL_URL"] == "/graphql"
    assert told["MAX_MESSAGE_LENGTH"] == 1600
    assert told["ENABLE_CAMPAIGN_GROUPS"] is True
    assert told["ALLOW_SEND_ALL"] is False
    assert told["ALTERNATE_LOGIN_URL"] == UNSAFE, "whatever it is, it ends no script"
    assert "AUTH0_DOMAIN" not in told, "what is not set is absent"


async def test_a_theme_is_told_if_there_is_one(client: httpx2.AsyncClient, demo_url: str) -> None:
    assert (await client.get("/settings/theme")).json() == {}
    async with await psycopg.AsyncConnection.connect(demo_url) as connection:
        await connection.execute(
            "create table instance_setting (name text primary key, type text, value text)"
        )
        await connection.execute(
            "insert into instance_setting values "
            "('theme.primaryColor', 'string', 'pink'), ('other', 'string', 'x')"
        )
    assert (await client.get("/settings/theme")).json() == {"primaryColor": "pink"}


async def test_what_is_named_by_its_content_is_kept_for_ever(client: httpx2.AsyncClient) -> None:
    answer = await client.get(HASHED, headers={"accept-encoding": "identity"})
    assert answer.text == SCRIPT
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/service-worker.js", "/favicon.ico", UNHASHED])
async def test_what_keeps_its_name_is_asked_for_each_time(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("path", "accepted", "coding", "content"),
    [
        (HASHED, "gzip, br", "gzip", gzip.compress(SCRIPT.encode(), 6, mtime=0)),
        (HASHED, "gzip;q=0", None, SCRIPT.encode()),
        ("/assets/packed.4567abcd.js", "gzip, br", "br", b"as brotli"),
        ("/assets/packed.4567abcd.js", "gzip, br;q=0", "gzip", None),
        ("/assets/packed.4567abcd.js", "", None, b"plain"),
    ],
)
async def test_files_come_compressed(
    client: httpx2.AsyncClient, path: str, accepted: str, coding: str | None, content: bytes
) -> None:
    async with client.stream("GET", path, headers={"accept-encoding": accepted}) as answer:
        received = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["content-type"].startswith("text/javascript")
    if coding == "gzip":
        received, content = gzip.decompress(received), content and gzip.decompress(content)
    assert received == (content or b"plain")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/missing.js",
        "/assets/link.js",
        "/assets/%2e%2e/%2e%2e/outside.js",
        "/assets/..%5c..%5coutside.js",
        "/assets/.secret",
    ],
)
async def test_no_path_leads_out_of_the_build(port: int, path: str) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.get(httpx2.URL(f"http://127.0.0.1:{port}", raw_path=path.encode()))
    assert "outside" not in answer.text
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_what_is_ours_stays_ours(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz")).text == "ok"
    assert (await client.get("/graphql")).status_code == 405
    assert (await client.post("/unknown")).status_code == 404
    assert "mount" not in (await client.get("/graphiql/sign-in")).text
    assert "hidden" not in (await client.get("/.secret")).text


async def test_other_websockets_are_refused(port: int) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with socket_to(port, path="/elsewhere"):
            pass


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("assets/assets.json", None, "can't read"),
        ("assets/assets.json", "{", "is not JSON"),
        ("assets/assets.json", "[]", "doesn't name bundle.js"),
        ("assets/assets.json", '{"bundle.js": "gone.js"}', "no /assets/gone.js"),
        ("assets/assets.json", '{"bundle.js": "../service-worker.js"}', "no /assets/../service"),
        ("service-worker.js", None, "no /service-worker.js"),
    ],
)
def test_a_broken_build_stops_the_start(
    build: Path, name: str, content: str | None, complaint: str
) -> None:
    if content is None:
        (build / name).unlink()
    else:
        (build / name).write_text(content)
    with pytest.raises(StartError, match=f"SPOKE_CLIENT_DIR.*{complaint}"):
        create_app(load_settings(spoke_client_dir=build), url="", secret=SECRET)


def test_a_manifest_with_whole_paths_is_understood(build: Path) -> None:
    (build / "assets" / "assets.json").write_text(orjson.dumps({"bundle.js": HASHED}).decode())
    create_app(load_settings(spoke_client_dir=build), url="", secret=SECRET)


def test_client_settings_are_read_as_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_TROLLBOT", "true")
    monkeypatch.setenv("SEND_DELAY", "250")
    settings = load_settings()
    assert (settings.enable_trollbot, settings.send_delay) == (True, 250)
    monkeypatch.setenv("SEND_DELAY", "soon")
    with pytest.raises(SettingsError, match="SEND_DELAY"):
        load_settings()
