"""Coming in: by an invite or an organization's uuid, and signing up."""

import asyncio
from typing import Any

import httpx2
import psycopg
import pytest

from tests.api import Api

JOIN = "mutation Join($uuid: String!) { joinOrganization(organizationUuid: $uuid) { id } }"
ROLES = """
select array_agg(role || ' ' || request_status order by role) from user_organization
where organization_id = 2 and user_id = (select id from "user" where email = %s)
"""
TEAM = "5f0c1f52-6f0e-4d0f-8a52-0c1b0a3d9a11"
UNKNOWN = "5f0c1f52-6f0e-4d0f-8a52-0c1b0a3d9a12"


@pytest.fixture
def joinable(demo_url: str) -> str:
    with psycopg.connect(demo_url) as connection:
        connection.execute("update organization set uuid = %s where id = 2", [TEAM])
    return demo_url


def read(url: str, query: str, *values: Any) -> Any:
    with psycopg.connect(url) as connection:
        [row] = connection.execute(query, values).fetchall()
        return row[0]


async def invite(api: Api) -> str:
    document = "mutation { createInvite(invite: {is_valid: true}) { id hash isValid } }"
    made = (await api("superadmin", document)).ok["createInvite"]
    assert made["isValid"]
    return str(made["hash"])


async def sign_up(client: httpx2.AsyncClient, next_url: str, **changes: str | None) -> Any:
    fields: dict[str, str | None] = {
        "authType": "signup",
        "email": "new@example.net",
        "password": "long enough",
        "passwordConfirm": "long enough",
        "firstName": " Nora ",
        "lastName": "Newcomer",
        "cell": "+12025550100",
        "nextUrl": next_url,
    }
    return await client.post("/login-callback", json=fields | changes)


async def test_an_invite_lets_somebody_sign_up(api: Api, client: httpx2.AsyncClient) -> None:
    found = await invite(api)
    shown = await api("nobody", f'{{ inviteByHash(hash: "{found}") {{ hash isValid }} }}')
    assert shown.ok["inviteByHash"] == [{"hash": found, "isValid": True}]
    answer = await sign_up(client, f"/invite/{found}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/invite/{found}")
    who = await client.post("/graphql", json={"query": "{ currentUser { displayName email } }"})
    assert who.json()["data"]["currentUser"] == {
        "displayName": "Nora Newcomer",
        "email": "new@example.net",
    }


async def test_a_uuid_lets_somebody_sign_up_and_join(
    api: Api, client: httpx2.AsyncClient, joinable: str
) -> None:
    assert (await sign_up(client, f"/{TEAM}/join")).status_code == 302
    joined = await client.post("/graphql", json={"query": JOIN, "variables": {"uuid": TEAM}})
    assert joined.json()["data"]["joinOrganization"] == {"id": "2"}
    assert read(joinable, ROLES, "new@example.net") == ["TEXTER approval_required"]


@pytest.mark.parametrize(
    ("next_url", "changes", "message"),
    [
        ("", {}, "Invalid invite code. Contact your administrator."),
        (f"/invite/{UNKNOWN}", {}, "Invalid invite code. Contact your administrator."),
        (f"/{UNKNOWN}/join", {}, "Invalid invite code. Contact your administrator."),
        ("VALID", {"passwordConfirm": "another"}, "Passwords don't match."),
        ("VALID", {"password": "short", "passwordConfirm": "short"}, "at least 8"),
        ("VALID", {"email": "OWNER@example.org"}, "That email is already taken."),
        ("VALID", {"email": "nobody"}, "not an e-mail"),
        ("VALID", {"firstName": " "}, "first name"),
        ("VALID", {"lastName": None}, "last name"),
        ("VALID", {"cell": "x" * 51}, "telephone"),
        ("VALID", {"authType": "reset"}, "Unknown auth type"),
    ],
)
async def test_whoever_is_refused_is_not_kept(
    api: Api,
    client: httpx2.AsyncClient,
    demo_url: str,
    next_url: str,
    changes: dict[str, str | None],
    message: str,
) -> None:
    if next_url == "VALID":
        next_url = f"/invite/{await invite(api)}"
    people = read(demo_url, 'select count(*) from "user"')
    answer = await sign_up(client, next_url, **changes)
    assert answer.status_code == 400
    assert message in answer.json()["message"]
    assert "set-cookie" not in answer.headers
    assert read(demo_url, 'select count(*) from "user"') == people


async def test_an_invite_that_is_used_up_lets_nobody_in(
    api: Api, client: httpx2.AsyncClient, demo_url: str
) -> None:
    found = await invite(api)
    with psycopg.connect(demo_url) as connection:
        connection.execute("update invite set is_valid = false")
    assert (await sign_up(client, f"/invite/{found}")).status_code == 400


async def test_an_address_is_taken_once_however_many_come_at_once(
    api: Api, client: httpx2.AsyncClient, demo_url: str
) -> None:
    next_url = f"/invite/{await invite(api)}"
    answers = await asyncio.gather(*(sign_up(client, next_url) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [302, 400, 400, 400, 400]


async def test_joining_many_times_makes_one_member(api: Api, joinable: str) -> None:
    with psycopg.connect(joinable) as connection:
        connection.execute(
            """update organization set features = '{"defaulTexterApprovalStatus":"AUTO_APPROVE"}'"""
        )
    answers = await asyncio.gather(*(api("admin", JOIN, uuid=TEAM) for _ in range(8)))
    assert all(answer.ok["joinOrganization"]["id"] == "2" for answer in answers)
    assert read(joinable, ROLES, "admin@example.org") == ["TEXTER auto_approve"]


async def test_who_is_a_member_stays_what_they_are(api: Api, joinable: str) -> None:
    with psycopg.connect(joinable) as connection:
        connection.execute(
            "insert into user_organization (user_id, organization_id, role)"
            " select id, 2, 'SUSPENDED' from \"user\" where email = 'texter@example.org'"
        )
    assert (await api("texter", JOIN, uuid=TEAM)).ok
    assert read(joinable, ROLES, "texter@example.org") == ["SUSPENDED approval_required"]


async def test_nobody_joins_what_is_not_there_or_deleted(api: Api, joinable: str) -> None:
    with psycopg.connect(joinable) as connection:
        connection.execute("update organization set deleted_at = now() where id = 2")
    for wanted in (TEAM, UNKNOWN, ""):
        assert (await api("texter", JOIN, uuid=wanted)).codes == ["NOT_FOUND"]
