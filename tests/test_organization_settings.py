"""Settings of an organization: who reads and writes which, and what Spoke may have stored."""

import asyncio
from typing import Any

import psycopg
import pytest

from services.organization_settings import SETTINGS
from tests.api import Api

NAMES = [
    "defaulTexterApprovalStatus" if name == "default_texter_approval_status" else setting.key
    for name, setting in SETTINGS.items()
]
NAMES[0] = "optOutMessage"
READ = f'{{ organization(id: "1") {{ settings {{ id creditsEnabled {" ".join(NAMES)} }} }} }}'
EDIT = """
mutation Edit($input: OrganizationSettingsInput!) {
  editOrganizationSettings(id: "1", input: $input) { id creditsEnabled %s }
}
"""
DEFAULTS = {
    "optOutMessage": "I'm opting you out of texts immediately. Have a great day.",
    "showContactLastName": False,
    "showContactCell": False,
    "confirmationClickForScriptLinks": True,
    "showDoNotAssignMessage": False,
    "doNotAssignMessage": SETTINGS["do_not_assign_message"].default,
    "maxSmsSegmentLength": 3,
    "startCampaignRequiresApproval": False,
    "scriptPreviewForSupervolunteers": False,
    "defaultCampaignBuilderMode": "ADVANCED",
    "defaultAutosendingControlsMode": "DETAILED",
    "defaulTexterApprovalStatus": "APPROVAL_REQUIRED",
    "numbersApiKey": None,
    "trollbotWebhookUrl": None,
}


def store(url: str, features: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("update organization set features = %s where id = 1", [features])


def stored(url: str) -> Any:
    with psycopg.connect(url) as connection:
        [row] = connection.execute("select features::json from organization where id = 1")
        return row[0]


@pytest.fixture(autouse=True)
def untouched(demo_url: str) -> None:
    """Nothing is set."""
    store(demo_url, "{}")


async def read(api: Api, who: str = "superadmin") -> dict[str, Any]:
    found: dict[str, Any] = (await api(who, READ)).ok["organization"]["settings"]
    return found


async def edit(api: Api, who: str, **changes: Any) -> Any:
    return await api(who, EDIT % " ".join(NAMES), input=changes)


@pytest.mark.parametrize(
    "features",
    [
        "",
        "{}",
        "no JSON",
        "[1]",
        '{"showContactCell": "yes", "opt_out_message": 7, "maxSmsSegmentLength": true}',
        '{"defaultCampaignBuilderMode": "EVERYTHING", "defaulTexterApprovalStatus": ["X"]}',
    ],
)
async def test_what_is_not_there_or_makes_no_sense_is_the_default(
    api: Api, demo_url: str, features: str
) -> None:
    store(demo_url, features)
    found = await read(api)
    assert {name: found[name] for name in NAMES} == DEFAULTS
    assert (found["id"], found["creditsEnabled"]) == ("1", True)


@pytest.mark.parametrize(
    ("who", "hidden"),
    [
        ("texter", set(NAMES[7:])),
        ("supervolunteer", set(NAMES[10:])),
        ("admin", set(NAMES[11:])),
        ("owner", set()),
        ("superadmin", set()),
    ],
)
async def test_each_role_sees_its_own_and_the_rest_beside_it_is_forbidden(
    api: Api, who: str, hidden: set[str]
) -> None:
    answer = await api(who, READ)
    assert {error["path"][-1] for error in answer.errors} == hidden
    assert set(answer.codes) == ({"FORBIDDEN"} if hidden else set())
    seen = answer.data["organization"]["settings"]
    assert {name for name in NAMES if seen[name] == DEFAULTS[name]} >= set(NAMES) - hidden
    assert not any(seen[name] for name in hidden)


async def test_an_owner_changes_some_and_what_we_know_nothing_of_stays(
    api: Api, demo_url: str
) -> None:
    store(demo_url, '{"optouts": ["x"], "showContactLastName": true}')
    answer = await edit(
        api,
        "owner",
        optOutMessage=" Bye. ",
        defaulTexterApprovalStatus="AUTO_APPROVE",
        maxSmsSegmentLength=None,
        numbersApiKey="abcdefgh",
    )
    found = answer.ok["editOrganizationSettings"]
    assert found["optOutMessage"] == "Bye."
    assert found["defaulTexterApprovalStatus"] == "AUTO_APPROVE"
    assert found["maxSmsSegmentLength"] is None
    assert found["numbersApiKey"] == "abcd****************"
    assert found["showContactLastName"]
    assert stored(demo_url) == {
        "optouts": ["x"],
        "showContactLastName": True,
        "opt_out_message": "Bye.",
        "defaulTexterApprovalStatus": "AUTO_APPROVE",
        "maxSmsSegmentLength": None,
        "numbersApiKey": "abcdefgh",
    }
    await edit(api, "owner", optOutMessage=None, defaulTexterApprovalStatus=None)
    found = await read(api)
    assert found["optOutMessage"] == DEFAULTS["optOutMessage"]
    assert found["defaulTexterApprovalStatus"] == "APPROVAL_REQUIRED"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"maxSmsSegmentLength": 0}, "BAD_USER_INPUT"),
        ({"maxSmsSegmentLength": 21}, "BAD_USER_INPUT"),
        ({"numbersApiKey": "abcd****************"}, "BAD_USER_INPUT"),
        ({"trollbotWebhookUrl": "example.org"}, "BAD_USER_INPUT"),
        ({"trollbotWebhookUrl": "javascript:alert(1)"}, "BAD_USER_INPUT"),
        ({"optOutMessage": "x" * 2001}, "BAD_USER_INPUT"),
        ({"doNotAssignMessage": "\0"}, "BAD_USER_INPUT"),
        ({"startCampaignRequiresApproval": True}, "FORBIDDEN"),
    ],
)
async def test_one_bad_change_keeps_all_others_out(
    api: Api, demo_url: str, change: dict[str, Any], code: str
) -> None:
    answer = await edit(api, "owner", showContactCell=True, creditsEnabled=False, **change)
    assert answer.codes == [code]
    assert stored(demo_url) == {}
    assert (await read(api))["creditsEnabled"]


async def test_approval_of_campaigns_is_the_superadmins_to_ask_for(api: Api, demo_url: str) -> None:
    await edit(api, "superadmin", startCampaignRequiresApproval=True)
    assert stored(demo_url) == {"startCampaignRequiresApproval": True}


async def test_credits_are_one_more_setting(api: Api, demo_url: str) -> None:
    """The same rule as setCreditsEnabled, and the same trace."""
    for enabled in (False, True):
        answer = await edit(api, "owner", creditsEnabled=enabled)
        assert answer.ok["editOrganizationSettings"]["creditsEnabled"] == enabled
    assert (await edit(api, "admin", creditsEnabled=False)).codes == ["FORBIDDEN"]
    with psycopg.connect(demo_url) as connection:
        switches = connection.execute(
            "select enabled from credit_switch where team_id = 1 order by id"
        ).fetchall()
    assert [enabled for (enabled,) in switches] == [True, False, True]


async def test_changes_at_the_same_time_lose_nothing(api: Api, demo_url: str) -> None:
    changes: list[dict[str, Any]] = [
        {"optOutMessage": "Bye."},
        {"showContactCell": True},
        {"showContactLastName": True},
        {"maxSmsSegmentLength": 5},
    ]
    await asyncio.gather(*(edit(api, "owner", **change) for change in changes * 3))
    assert len(stored(demo_url)) == len(changes)
