"""The credits console: how it is served."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from server import node

SUPERADMIN = "superadmin@example.org"
SCRIPT = "console.log(1);" * 200
BUILT = {
    "index.html": '<meta property="csp-nonce" nonce="CSP_NONCE"><div id="root"></div>',
    "assets/index-AbCd_123.js": SCRIPT,
    ".made": "of this",
}


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As small as a build can be."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    for name, content in BUILT.items():
        (folder / name).write_text(content)
    monkeypatch.setattr(node, "CONSOLE", replace(node.CONSOLE, folder=tmp_path))
    return folder


@pytest.fixture
def no_build(build: Path) -> None:
    (build / "index.html").unlink()


@pytest.mark.parametrize("path", ["/credits/", "/credits/teams", "/credits/text/1/2"])
async def test_each_of_its_pages_starts_it(client: httpx2.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    policy = dict(
        rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; ")
    )
    [nonce] = re.findall(r'nonce="([\w-]{22})"', page.text)
    assert policy["style-src"] == f"'self' 'nonce-{nonce}'"
    assert policy["script-src"] == policy["connect-src"] == policy["font-src"] == "'self'"
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert nonce not in (await client.get(path)).text, "each answer has its own"


async def test_its_files_are_kept_for_ever(client: httpx2.AsyncClient) -> None:
    file = await client.get("/credits/assets/index-AbCd_123.js")
    assert (file.status_code, file.text) == (200, SCRIPT)
    assert file.headers["content-encoding"] == "gzip"
    assert "immutable" in file.headers["cache-control"]


@pytest.mark.parametrize("path", ["index-Other.js", "../.made", "..%2F.made", ""])
async def test_no_other_files(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"/credits/assets/{path}")
    assert "of this" not in answer.text
    assert "immutable" not in answer.headers.get("cache-control", "")


async def test_the_way_there(
    client: httpx2.AsyncClient, sign_in: Callable[[str], Awaitable[dict[str, str]]]
) -> None:
    home = await client.get("/")
    assert home.headers["location"] == "/graphiql/sign-in?next=/credits/"
    form = (await client.get(home.headers["location"])).text
    assert 'name="nextUrl" value="/credits/"' in form
    assert (await client.get("/credits")).headers["location"] == "/credits/"
    client.cookies.update(await sign_in(SUPERADMIN))
    assert (await client.get("/")).headers["location"] == "/credits/"


@pytest.mark.usefixtures("no_build")
async def test_without_its_build_it_says_how_to_get_it(client: httpx2.AsyncClient) -> None:
    page = await client.get("/credits/teams")
    assert page.status_code == 503
    assert "make web" in page.text
