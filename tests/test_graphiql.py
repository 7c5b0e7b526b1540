"""The pages under /graphiql: who gets in, and that nothing comes from elsewhere."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from server import demo, graphiql, node
from server.graphql import DOCUMENTS

SUPERADMIN = "superadmin@example.org"
SignIn = Callable[[str], Awaitable[dict[str, str]]]


async def test_a_page_for_the_signed_in(client: httpx2.AsyncClient) -> None:
    page = await client.get("/graphiql")
    assert (page.status_code, page.headers["location"]) == (302, "/graphiql/sign-in?next=/graphiql")

    form = (await client.get(page.headers["location"])).text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    signed_in = await client.post(
        "/login-callback", data={**fields, "email": SUPERADMIN, "password": demo.PASSWORD}
    )
    assert (signed_in.status_code, signed_in.headers["location"]) == (302, "/graphiql")

    client.cookies = signed_in.cookies
    assert "Sam Superadmin" in (await client.get("/graphiql")).text


@pytest.mark.parametrize(
    ("wanted", "next_url"),
    [
        ("/graphiql", "/graphiql"),
        ("/graphiql?a=1#b", "/graphiql?a=1#b"),
        ("", "/"),
        ("//example.com", "/"),
        ("/\\example.com", "/"),
        ("/\t/example.com", "/"),
        ("https://example.com", "/"),
        ("javascript:alert(1)", "/"),
        ('/"><script>', "/&#34;&gt;&lt;script&gt;"),
    ],
)
async def test_signing_in_leads_to_this_server_only(
    client: httpx2.AsyncClient, wanted: str, next_url: str
) -> None:
    page = await client.get("/graphiql/sign-in", params={"next": wanted})
    assert f'name="nextUrl" value="{next_url}"' in page.text


async def test_without_its_files_it_says_how_to_get_them(
    client: httpx2.AsyncClient, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "GRAPHIQL", replace(node.GRAPHIQL, stamp=tmp_path / "stamp"))
    client.cookies.update(await sign_in(SUPERADMIN))
    page = await client.get("/graphiql")
    assert page.status_code == 503
    assert "make graphiql" in page.text
    assert "yoga" not in page.text


async def test_pages_run_only_scripts_of_this_server(
    client: httpx2.AsyncClient, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stamp").write_text("as if fetched")
    monkeypatch.setattr(node, "GRAPHIQL", replace(node.GRAPHIQL, stamp=tmp_path / "stamp"))
    client.cookies.update(await sign_in(SUPERADMIN))
    for path in ("/graphiql", "/graphiql/sign-in"):
        page = await client.get(path)
        assert page.status_code == 200
        policy = dict(
            rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?! src=)| on\w+=|javascript:|<style| style=", page.text)
        addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page.text)
        assert {address[:1] for address in addresses} == {"/", "d"}, addresses
        assert "data:," in addresses


def test_our_files_name_no_other_site() -> None:
    for path in graphiql.PAGES.iterdir():
        assert not re.search(r"https?:|//\w+\.|@import", path.read_text()), path.name


async def test_assets_are_kept_forever_under_their_version(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/graphiql/sign-in")).text
    address = re.findall(r'href="(/graphiql/assets/[^"]*)"', page)[0]
    for encoding in ("gzip", None):
        asset = await client.get(address, headers={"accept-encoding": encoding or "identity"})
        assert asset.status_code == 200
        assert asset.headers.get("content-encoding") == encoding
        assert asset.headers["content-type"] == "text/css; charset=utf-8"
        assert "immutable" in asset.headers["cache-control"]
        assert asset.text == (graphiql.PAGES / "pages.css").read_text()

    folder, name = address.rsplit("/", 1)
    for other in (f"/graphiql/assets/older/{name}", f"{folder}/sign_in.html", f"{folder}/..%2Fx"):
        missing = await client.get(other)
        assert missing.status_code == 404
        assert "immutable" not in missing.headers.get("cache-control", "")


def test_the_tabs_fit_the_schema() -> None:
    script = (graphiql.PAGES / "graphiql.js").read_text()
    documents = re.findall(r"tab\(\s*`(.*?)`", script, re.DOTALL)
    assert len(documents) == 7
    for document in documents:
        DOCUMENTS.get(document)
