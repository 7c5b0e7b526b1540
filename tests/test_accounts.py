"""Changing people's accounts: what is checked, who is above whom, and what a new password ends."""

import asyncio
from collections.abc import Collection
from typing import Any

import httpx2
import psycopg
import pytest

from server.demo import EMAILS, PASSWORD
from server.resources import Resources
from services.access import Actor
from services.users import require_private
from tests.api import Api

NEW = "spoke-demo-2"
IDS = {email.partition("@")[0]: str(number) for number, email in enumerate(EMAILS, start=1)}
EDIT = """
mutation Edit($id: String!, $data: UserInput) {
  editUser(organizationId: "1", userId: $id, userData: $data) {
    id firstName lastName
  }
}
"""
CHANGE = """
mutation Change($id: String!, $form: UserPasswordChange) {
  changeUserPassword(userId: $id, formData: $form) { id }
}
"""
STATUS = """
mutation Status($email: String!, $is: Boolean!) {
  editSuperAdminStatus(userEmail: $email, superAdminStatus: $is)
}
"""


def stored(url: str, column: str, who: str) -> Any:
    with psycopg.connect(url) as connection:
        query = f'select {column} from "user" where id = {IDS[who]}'
        [row] = connection.execute(query).fetchall()
        return row[0]


async def edit(api: Api, actor: str, who: str, **changes: Any) -> Any:
    data = {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": f"{who}@example.net",
        "cell": "+12025550100",
        "notificationFrequency": "DAILY",
    }
    return await api(actor, EDIT, id=IDS[who], data=data | changes)


async def change_password(api: Api, who: str, old: str, new: str, again: str | None = None) -> Any:
    form = {"password": old, "newPassword": new, "passwordConfirm": again or new}
    return await api(who, CHANGE, id=IDS[who], form=form)


async def sign_in(client: httpx2.AsyncClient, who: str, password: str) -> int:
    answer = await client.post(
        "/login-callback", json={"email": f"{who}@example.org", "password": password}
    )
    client.cookies.clear()
    return int(answer.status_code)


async def test_everybody_edits_themselves(api: Api, demo_url: str) -> None:
    answer = await edit(api, "texter", "texter", firstName=" Ada ", notificationFrequency="NONE")
    assert answer.ok["editUser"] == {
        "id": IDS["texter"],
        "firstName": "Ada",
        "lastName": "Lovelace",
    }
    assert stored(demo_url, "email", "texter") == "texter@example.net"
    assert stored(demo_url, "notification_frequency", "texter") == "NONE"


async def test_without_data_it_only_answers(api: Api, demo_url: str) -> None:
    answer = await api("admin", EDIT, id=IDS["texter"], data=None)
    assert answer.ok["editUser"]["firstName"] == "Terry"


@pytest.mark.parametrize(
    ("actor", "who", "code"),
    [
        ("admin", "texter", None),
        ("admin", "owner", "FORBIDDEN"),
        ("owner", "admin", None),
        ("supervolunteer", "texter", "FORBIDDEN"),
        ("superadmin", "owner", None),
        ("owner", "texter2", "NOT_FOUND"),
        ("owner", "superadmin", "FORBIDDEN"),
    ],
)
async def test_nobody_edits_those_above_them_or_elsewhere(
    api: Api, demo_url: str, actor: str, who: str, code: str | None
) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute(
            "insert into user_organization (user_id, organization_id, role) values (1, 1, 'TEXTER')"
        )
    before = stored(demo_url, "email", who)
    answer = await edit(api, actor, who)
    assert answer.codes == ([code] if code else [])
    assert (stored(demo_url, "email", who) == before) == bool(code)


@pytest.mark.parametrize(
    "change",
    [
        {"email": "OWNER@example.org"},
        {"email": "nobody"},
        {"email": "a@" + "x" * 320},
        {"firstName": "  "},
        {"lastName": "x" * 201},
        {"cell": "x" * 51},
        {"notificationFrequency": "HOURLY"},
    ],
)
async def test_bad_particulars_change_nothing(
    api: Api, demo_url: str, change: dict[str, Any]
) -> None:
    assert (await edit(api, "texter", "texter", **change)).codes == ["BAD_USER_INPUT"]
    assert stored(demo_url, "first_name", "texter") == "Terry"


async def test_of_many_who_want_one_address_at_once_one_gets_it(api: Api, demo_url: str) -> None:
    people = ("texter", "supervolunteer", "admin", "owner")
    answers = await asyncio.gather(
        *(edit(api, who, who, email="wanted@example.net") for who in people)
    )
    assert sorted(answer.codes for answer in answers) == [[], *[["BAD_USER_INPUT"]] * 3]


@pytest.mark.usefixtures("cheap_passwords")
async def test_a_new_password_ends_the_sessions_elsewhere(
    api: Api, client: httpx2.AsyncClient, demo_url: str
) -> None:
    elsewhere = Api(api.client, api.sign_in)
    for one in (api, elsewhere):
        assert (await one("texter", "{ currentUser { id } }")).ok["currentUser"]
    assert (await change_password(api, "texter", PASSWORD, NEW)).ok
    assert (await api("texter", "{ currentUser { id } }")).ok["currentUser"]
    assert (await elsewhere("texter", "{ currentUser { id } }")).ok["currentUser"] is None
    assert await sign_in(client, "texter", PASSWORD) == 400
    assert await sign_in(client, "texter", NEW) == 302


@pytest.mark.parametrize(
    ("old", "new", "again", "code"),
    [
        ("wrong", NEW, NEW, "WRONG_CREDENTIALS"),
        (PASSWORD, NEW, "spoke-demo-3", "BAD_USER_INPUT"),
        (PASSWORD, "short", "short", "BAD_USER_INPUT"),
        (PASSWORD, PASSWORD, PASSWORD, "BAD_USER_INPUT"),
    ],
)
@pytest.mark.usefixtures("cheap_passwords")
async def test_a_password_that_is_refused_is_not_changed(
    api: Api, demo_url: str, old: str, new: str, again: str, code: str
) -> None:
    before = stored(demo_url, "auth0_id", "texter")
    assert (await change_password(api, "texter", old, new, again)).codes == [code]
    assert stored(demo_url, "auth0_id", "texter") == before


async def test_of_two_changes_of_a_password_at_once_one_counts(api: Api, demo_url: str) -> None:
    answers = await asyncio.gather(
        *(change_password(api, "texter", PASSWORD, f"spoke-demo-{n}") for n in range(2, 6))
    )
    assert sorted(len(answer.codes) for answer in answers) == [0, 1, 1, 1]
    refused = {code for answer in answers for code in answer.codes}
    assert refused <= {"CONFLICT", "WRONG_CREDENTIALS"}


async def test_terms_are_agreed_to_by_oneself(api: Api, demo_url: str) -> None:
    document = f'mutation {{ userAgreeTerms(userId: "{IDS["texter"]}") {{ id terms }} }}'
    assert (await api("texter", document)).ok["userAgreeTerms"]["terms"] is True
    assert (await api("superadmin", document)).codes == ["FORBIDDEN"]


async def test_superadmins_come_and_go(api: Api, demo_url: str) -> None:
    assert (await api("superadmin", STATUS, **{"email": "OWNER@example.org", "is": True})).ok
    shown = (await api("superadmin", "{ superadmins { displayName isSuspended } }")).ok
    assert [one["displayName"] for one in shown["superadmins"]] == [
        "Olivia Owner",
        "Sam Superadmin",
    ]
    with psycopg.connect(demo_url) as connection:
        [roles] = connection.execute(
            "select array_agg(distinct role) from user_organization where user_id = %s",
            [IDS["owner"]],
        ).fetchall()
    assert roles[0] == ["OWNER"]
    assert (await api("owner", STATUS, **{"email": "superadmin@example.org", "is": False})).ok
    assert (await api("superadmin", "{ superadmins { id } }")).codes == ["FORBIDDEN"]


async def test_nobody_of_that_name_becomes_one(api: Api) -> None:
    answer = await api("superadmin", STATUS, **{"email": "nobody@example.org", "is": True})
    assert answer.codes == ["NOT_FOUND"]


async def test_of_two_who_dismiss_each_other_one_remains(api: Api, demo_url: str) -> None:
    await api("superadmin", STATUS, **{"email": "owner@example.org", "is": True})
    answers = await asyncio.gather(
        api("superadmin", STATUS, **{"email": "owner@example.org", "is": False}),
        api("owner", STATUS, **{"email": "superadmin@example.org", "is": False}),
    )
    assert sorted(len(answer.codes) for answer in answers) == [0, 1]
    with psycopg.connect(demo_url) as connection:
        [count] = connection.execute('select count(*) from "user" where is_superadmin').fetchall()
    assert count[0] == 1


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("texter", {"texter"}),
        ("supervolunteer", {"supervolunteer"}),
        ("admin", {"admin", "supervolunteer", "texter", "suspended"}),
        ("owner", {"owner", "admin", "supervolunteer", "texter", "suspended"}),
        ("superadmin", IDS.keys()),
    ],
)
async def test_private_is_what_one_may_edit(
    resources: Resources, who: str, shown: Collection[str]
) -> None:
    actor = Actor(int(IDS[who]), who, is_superadmin=who == "superadmin")
    async with resources.database.reads() as session:
        refused = await require_private(session, actor, [int(one) for one in IDS.values()])
    kept = {name for name, refusal in zip(IDS, refused, strict=True) if refusal is None}
    assert kept == {*shown}


async def test_an_admin_reads_back_what_they_edited(api: Api) -> None:
    document = EDIT.replace("lastName", "lastName email cell notificationFrequency")
    edited = {"email": "texter@example.net", "cell": "+12025550100"}
    data = {"firstName": "Ada", "lastName": "Lovelace", "notificationFrequency": "DAILY", **edited}
    answer = await api("admin", document, id=IDS["texter"], data=data)
    assert answer.ok["editUser"].items() >= edited.items()
