"""The page that turns off mail about running low: the link suffices, and looking does nothing."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import psycopg
import pytest

from models.database import open_database
from server import graphiql
from server.resources import Resources
from server.sessions import signed
from services.mutes import Reader, mute_link
from services.settings import Settings, load_settings
from tests.conftest import SECRET

OWNER = "owner@example.org"
READER = Reader(1, OWNER)
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(spoke_data_dir=tmp_path, base_url="https://spoke.example.org")


def path_of(reader: Reader, settings: Settings, secret: str = SECRET) -> str:
    parts = urlsplit(mute_link(settings, secret, reader))
    assert (parts.scheme, parts.netloc) == ("https", "spoke.example.org")
    return f"{parts.path}?{parts.query}"


@pytest.fixture
def path(settings: Settings) -> str:
    return path_of(READER, settings)


def muted(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select team_id, address from credit_mail_mute order by 1, 2")
        return rows.fetchall()


def words(page: httpx2.Response) -> str:
    return " ".join(re.sub(r"<head>.*</head>|<[^>]+>", "", page.text, flags=re.DOTALL).split())


async def test_looking_changes_nothing(
    client: httpx2.AsyncClient, demo_url: str, path: str
) -> None:
    for method in ("GET", "HEAD", "GET"):
        page = await client.request(method, path)
        assert page.status_code == 200
    assert f"{OWNER} gets mail when North Valley Field is running low" in words(page)
    assert page.text.count("<button") == page.text.count("<form") == 1
    assert muted(demo_url) == []


async def test_the_button_turns_it_off_and_another_on_again(
    client: httpx2.AsyncClient, demo_url: str, path: str
) -> None:
    """As a browser does it, by what the page says."""
    for title, expected in (("This mail is off", [(1, OWNER)]), ("Stop this mail?", [])) * 2:
        page = await client.get(path)
        [(name, value)] = re.findall(r'<button[^>]* name="(\w+)" value="(\w+)"', page.text)
        assert "action=" not in page.text
        answer = await client.post(path, data={name: value})
        assert answer.status_code == 200
        assert title in words(answer)
        assert muted(demo_url) == expected
        assert title in words(await client.get(path))


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (ONE_CLICK, FORM),
        (
            '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
            "One-Click\r\n--x--\r\n",
            {"content-type": "multipart/form-data; boundary=x"},
        ),
        ("", {}),
        ("\xff\x00", FORM),
    ],
    ids=["form", "multipart", "empty", "rubbish"],
)
async def test_one_click_of_a_mail_program_turns_it_off(
    client: httpx2.AsyncClient, demo_url: str, path: str, content: str, headers: dict[str, str]
) -> None:
    """RFC 8058: no redirect, no cookies, and as often as it likes."""
    for _ in range(2):
        answer = await client.post(path, content=content.encode("latin-1"), headers=headers)
        assert answer.status_code == 200
        assert muted(demo_url) == [(1, OWNER)]


async def test_it_concerns_one_team_and_one_address(
    client: httpx2.AsyncClient, demo_url: str, settings: Settings, path: str
) -> None:
    others = [Reader(2, OWNER), Reader(1, "admin@example.org")]
    for reader in [READER, *others]:
        await client.post(path_of(reader, settings))
    assert len(muted(demo_url)) == 3
    await client.post(path, data={"mail": "on"})
    assert muted(demo_url) == [(1, "admin@example.org"), (2, OWNER)]


def broken_links(path: str, settings: Settings) -> dict[str, str]:
    link, _, token = path.partition("=")
    payload, _, signature = token.rpartition(".")
    other_payload = path_of(Reader(2, OWNER), settings).partition("=")[2].rpartition(".")[0]
    return {
        "no token": link.partition("?")[0],
        "empty": f"{link}=",
        "unsigned": f"{link}={payload}",
        "another's payload": f"{link}={other_payload}.{signature}",
        "cut off": path[:-1],
        "lengthened": f"{path}A",
        "another secret": path_of(READER, settings, secret="another-secret-of-16"),
        "a session": f"{link}={signed('sid', SECRET)}",
        "not ASCII": f"{link}=%C3%A9%FF",
        "long": f"{link}={'A' * 5000}",
    }


async def test_a_link_that_is_not_ours_is_told_and_does_nothing(
    client: httpx2.AsyncClient, demo_url: str, settings: Settings, path: str
) -> None:
    for kind, broken in broken_links(path, settings).items():
        for method in ("GET", "POST"):
            page = await client.request(method, broken)
            assert page.status_code == 400, kind
            assert "This link doesn't work" in words(page).replace("&#39;", "'"), kind
            assert "<form" not in page.text
            assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert muted(demo_url) == []


async def test_a_team_that_is_gone_is_told(
    client: httpx2.AsyncClient, demo_url: str, settings: Settings
) -> None:
    gone = path_of(Reader(987654, OWNER), settings)
    for method in ("GET", "POST"):
        assert (await client.request(method, gone)).status_code == 404
    assert muted(demo_url) == []


async def test_a_body_without_end_is_not_read(
    client: httpx2.AsyncClient, demo_url: str, path: str
) -> None:
    answer = await client.post(path, content=b"x" * 300_000)
    assert (answer.status_code, "<h1>" in answer.text) == (413, True)
    assert muted(demo_url) == []


async def test_without_a_database_it_asks_to_try_again(
    client: httpx2.AsyncClient, resources: Resources, path: str
) -> None:
    async with open_database("postgresql://nobody@127.0.0.1:1/nothing") as unreachable:
        working = resources.database
        object.__setattr__(resources, "database", unreachable)
        for method in ("GET", "POST"):
            page = await client.request(method, path)
            assert page.status_code == 503
            assert "Please try again" in words(page)
        object.__setattr__(resources, "database", working)


async def test_names_stay_text(
    client: httpx2.AsyncClient, demo_url: str, settings: Settings
) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute("update organization set name = '<b>x</b>' where id = 1")
    page = await client.get(path_of(Reader(1, '"><script>@example.org'), settings))
    assert "<b>x" not in page.text and "<script" not in page.text
    assert "&lt;b&gt;x&lt;/b&gt;" in page.text


async def test_the_page_runs_nothing_and_is_kept_nowhere(
    client: httpx2.AsyncClient, path: str
) -> None:
    for page in (await client.get(path), await client.post(path), await client.get(path[:-1])):
        policy = dict(
            rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; ")
        )
        assert policy == {
            "default-src": "'none'",
            "style-src": "'self'",
            "img-src": "data:",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script| on\w+=|javascript:|<style| style=", page.text)
        [styles] = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
        assert (await client.get(styles)).text == (graphiql.PAGES / "pages.css").read_text()


async def test_the_link_is_not_logged(
    client: httpx2.AsyncClient, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    await client.get(path)
    await client.post(path)
    [(_, token)] = parse_qsl(urlsplit(path).query)
    logged = "".join(capfd.readouterr())
    assert "/running-low-mail" in logged
    assert token not in logged and OWNER not in logged
