"""Who may do what: every root field and every guarded field, for every kind of person.

A refusal must also leave no trace: what it could have changed is compared before and after.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from graphql import GraphQLObjectType

from schema.build import schema
from server.estimate_worker import make_estimates
from server.resources import Resources
from services.settings import Settings
from tests.api import Answer, Api
from tests.sockets import listening, socket_to

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# OTHER is an OWNER, but of team 2; everybody else belongs to team 1, superadmin to none.
OTHER = "texter2"
PEOPLE = (
    "nobody", "suspended", "texter", "supervolunteer", "admin", "owner", OTHER, "superadmin",
)  # fmt: skip
MEANING = {
    "ok": None,
    "login": "UNAUTHENTICATED",
    "no": "FORBIDDEN",
    "stop": "SENDER_SUSPENDED",
    "wrong": "WRONG_CREDENTIALS",
    "never": "NOT_SUPPORTED",
}

SEND_DOCUMENT = """mutation {
  sendMessage(campaignContactId: "1", message: {text: "Hi!", assignmentId: "1"}) { id }
}"""

TODAY = f'from: "{datetime.now(UTC).date()}", to: "{datetime.now(UTC).date()}"'

# fmt: off
ROOT_FIELDS = {
    # document                          nobody susp. texter superv. admin owner other superadmin
    "currentUser": (
        "{ currentUser { id } }",       "ok    ok    ok     ok      ok    ok    ok    ok"),
    "organization": (
        '{ organization(id: "1") { id } }',
                                        "login no    ok     ok      ok    ok    no    ok"),
    "organizations": (
        "{ organizations { id } }",     "login no    no     no      no    no    no    ok"),
    "inviteByHash": (
        '{ inviteByHash(hash: "1") { id } }',
                                        "ok    ok    ok     ok      ok    ok    ok    ok"),
    "superadmins": (
        "{ superadmins { id } }",       "login no    no     no      no    no    no    ok"),
    "campaign": (
        '{ campaign(id: "1") { id } }', "login no    ok     ok      ok    ok    no    ok"),
    "assignment": (
        '{ assignment(id: "1") { id } }',
                                        "login no    ok     ok      ok    ok    no    ok"),
    "contact": (
        '{ contact(id: "1") { id } }',  "login no    ok     ok      ok    ok    no    ok"),
    "team": (
        '{ team(id: "1") { id } }',     "login no    ok     ok      ok    ok    no    ok"),
    "teams": (
        "{ teams { teams { id } } }",   "login no    no     no      no    no    no    ok"),
    "accountUsage": (
        f"{{ accountUsage({TODAY}) {{ rows {{ texts creditsUsed }} }} }}",
                                        "login no    no     no      no    no    no    ok"),
    "creditNotices": (
        '{ creditNotices(teamId: "1") { id } }',
                                        "login no    no     no      ok    ok    no    ok"),
    "estimateCredits": (
        '{ estimateCredits(text: "Hi", recipients: 2) { credits } }',
                                        "login ok    ok     ok      ok    ok    ok    ok"),
    "setCreditsEnabled": (
        'mutation { setCreditsEnabled(teamId: "1", enabled: false) { id } }',
                                        "login no    no     no      no    ok    no    ok"),
    "handleConversation": (
        """mutation { handleConversation(campaignContactId: "1", message: {
          text: "Hi!", assignmentId: "1"}, closeConversation: true) { id } }""",
                                        "login stop  ok     ok      ok    ok    no    no"),
    "createOptOut": (
        """mutation { createOptOut(campaignContactId: "1", optOut: {
          cell: "+12022010000", message: {text: "Bye.", assignmentId: "1"}}) { id } }""",
                                        "login no    ok     ok      ok    ok    no    ok"),
    "tagConversation": (
        """mutation { tagConversation(campaignContactId: "1", tag: {addedTagIds: ["1"],
          removedTagIds: [], message: {text: "Hi!", assignmentId: "1"}}) { id } }""",
                                        "login no    ok     ok      ok    ok    no    ok"),
    "bulkSendMessages": (
        'mutation { bulkSendMessages(assignmentId: "1") { id } }',
                                        "login no    never  never   never never no    never"),
    "getAssignmentContacts": (
        'mutation { getAssignmentContacts(assignmentId: "1", contactIds: ["1"]) { id } }',
                                        "login no    ok     ok      ok    ok    no    ok"),
    "updateQuestionResponses": (
        """mutation { updateQuestionResponses(campaignContactId: "1", questionResponses: [
          {campaignContactId: "1", interactionStepId: "1", value: "Yes"}]) { id } }""",
                                        "login no    ok     ok      ok    ok    no    ok"),
    "deleteQuestionResponses": (
        """mutation {
          deleteQuestionResponses(campaignContactId: "1", interactionStepIds: ["1"]) { id }
        }""",                           "login no    ok     ok      ok    ok    no    ok"),
    "editCampaignContactMessageStatus": (
        """mutation {
          editCampaignContactMessageStatus(campaignContactId: "1", messageStatus: "convo") { id }
        }""",                           "login no    ok     ok      ok    ok    no    ok"),
    "requestTexts": (
        """mutation {
          requestTexts(count: 5, email: "", organizationId: "1", preferredTeamId: "-1")
        }""",                           "login stop  ok     ok      ok    ok    no    no"),
    "findNewCampaignContact": (
        'mutation { findNewCampaignContact(assignmentId: "1", numberContacts: 5) { found } }',
                                        "login no    ok     no      no    no    no    no"),
    "releaseMyReplies": (
        'mutation { releaseMyReplies(organizationId: "1") }',
                                        "login no    ok     ok      ok    ok    no    ok"),
    "createInvite": (
        "mutation { createInvite(invite: {}) { id } }",
                                        "login no    no     no      no    no    no    ok"),
    "joinOrganization": (
        'mutation { joinOrganization(organizationUuid: "demo-2") { id } }',
                                        "login ok    ok     ok      ok    ok    ok    ok"),
    "userAgreeTerms": (
        'mutation { userAgreeTerms(userId: "5") { id } }',
                                        "login no    ok     no      no    no    no    no"),
    "editUser": (
        """mutation { editUser(organizationId: "1", userId: "5", userData: {
          firstName: "A", lastName: "B", email: "a@example.org", cell: "",
          notificationFrequency: "ALL" }) { id } }""",
                                        "login no    ok     no      ok    ok    no    ok"),
    "changeUserPassword": (
        """mutation { changeUserPassword(userId: "5", formData: {
          password: "wrong", newPassword: "long enough", passwordConfirm: "long enough"
        }) { id } }""",                 "login no    wrong  no      no    no    no    no"),
    "editSuperAdminStatus": (
        """mutation {
          editSuperAdminStatus(userEmail: "texter@example.org", superAdminStatus: true)
        }""",                           "login no    no     no      no    no    no    ok"),
    "editOrganizationSettings": (
        'mutation { editOrganizationSettings(id: "1", input: {showContactCell: true}) { id } }',
                                        "login no    no     no      no    ok    no    ok"),
    "setLowCreditsThreshold": (
        'mutation { setLowCreditsThreshold(teamId: "1", credits: 7) { id } }',
                                        "login no    no     no      no    no    no    ok"),
    "setRunningLowMail": (
        'mutation { setRunningLowMail(teamId: "1", enabled: false) { id } }',
                                        "login no    no     no      no    ok    no    ok"),
    "addCredits": (
        'mutation { addCredits(teamId: "1", amount: 5) { id } }',
                                        "login no    no     no      no    no    no    ok"),
    "removeCreditPurchase": (
        'mutation { removeCreditPurchase(id: "1") { id } }',
                                        "login no    no     no      no    no    no    ok"),
    "sendMessage": (
        SEND_DOCUMENT,                  "login stop  ok     ok      ok    ok    no    no"),
}

SUBSCRIPTIONS = {
    #                                   nobody susp. texter superv. admin owner other superadmin
    "teamCredits": (
        'subscription { teamCredits(teamId: "1") { id } }',
                                        "login no    ok     ok      ok    ok    no    ok"),
    "allTeamCredits": (
        "subscription { allTeamCredits { id } }",
                                        "login no    no     no      no    no    no    ok"),
}

# Fields of { team(id: "1") { id FIELD } }.
TEAM_FIELDS = {
    #                                   nobody susp. texter superv. admin owner other superadmin
    "creditsEnabled":                   "login no    ok     ok      ok    ok    no    ok",
    "creditStatus":                     "login no    ok     ok      ok    ok    no    ok",
    "creditContacts { displayName }":   "login no    ok     ok      ok    ok    no    ok",
    "turningOnWouldBlock":              "login no    no     no      no    ok    no    ok",
    "lowCreditsThreshold":              "login no    no     no      no    no    no    ok",
    "isRunningLow":                     "login no    no     no      ok    ok    no    ok",
    "runningLowMail":                   "login no    no     no      ok    ok    no    ok",
    "remainingCredits":                 "login no    no     no      no    no    no    ok",
    "purchasedCredits":                 "login no    no     no      no    no    no    ok",
    "usedCredits":                      "login no    no     no      no    no    no    ok",
    "creditPurchases { id }":           "login no    no     no      no    no    no    ok",
    "campaigns { id creditEstimate { contacts } }":
                                        "login no    no     ok      ok    ok    no    ok",
    f"usage({TODAY}) {{ texts }}":      "login no    no     no      ok    ok    no    ok",
}
FIGURES = ("remainingCredits", "purchasedCredits", "usedCredits", "creditPurchases { id }")
FIGURES_VISIBLE_TO = {
    #                                   nobody susp. texter superv. admin owner other superadmin
    "SUPERADMIN":                       "login no    no     no      no    no    no    ok",
    "OWNER":                            "login no    no     no      no    ok    no    ok",
    "ADMIN":                            "login no    no     no      ok    ok    no    ok",
}

# What campaign 1 of team 1 needs, once it was counted.
NEEDS = (
    #                                   nobody susp. texter superv. admin owner other superadmin
                                        "login no    no     ok      ok    ok    no    ok"
)
NEEDS_FIELDS = (
    "contacts",
    "creditsNeeded",
    "creditsNeededMargin",
    "isSampled",
    "computedAt",
    "ageSeconds",
    "isComputing",
    "enough",
)
# Fields of { creditNotices(teamId: "1") { id FIELD } }, for those who see notices.
NOTICE_FIELDS = {
    #                                   admin owner superadmin
    "occasion":                         "ok    ok    ok",
    "state":                            "ok    ok    ok",
    "address":                          "ok    ok    ok",
    "attempts":                         "ok    ok    ok",
    "error":                            "no    no    ok",
    "createdAt":                        "ok    ok    ok",
    "sentAt":                           "ok    ok    ok",
    "deliveredAt":                      "ok    ok    ok",
}

# Fields of the texter of team 1, as { assignment(id: "1") { texter { id FIELD } } } shows them.
PRIVATE = (
    #                                   nobody susp. texter superv. admin owner other superadmin
                                        "login no    ok     no      no    no    no    ok"
)
LED = (
    #                                   nobody susp. texter superv. admin owner other superadmin
                                        "login no    ok     no      ok    ok    no    ok"
)
FIELDS_OF_THE_LED = (
    "email",
    "cell",
    "assignedCell",
    "isSuspended",
    "terms",
    "notificationFrequency",
)
PRIVATE_FIELDS = (
    "isSuperadmin",
    'roles(organizationId: "1")',
    'currentRequest(organizationId: "1") { id }',
    "memberships { edges { node { id } } }",
    "organizations { id }",
    'todos(organizationId: "1") { id }',
)
# fmt: on

OPEN_TEAM_FIELDS = {"id", "name", "organization"}
OPEN_USER_FIELDS = {"id", "firstName", "lastName", "displayName"}

WATCHED_TABLES = (
    "credit_account",
    "credit_purchase",
    "credit_entry",
    "credit_exhaustion",
    "credit_switch",
    "credit_notice",
    "message",
    "campaign_contact",
    "outbound_text",
    "assignment",
    "assignment_request",
    "all_question_response",
    "campaign_contact_tag",
    "invite",
    "opt_out",
    "user_organization",
    "user",
    "organization",
    "usage_day",
)
CONTENTS = " union all ".join(
    f"select '{table}', count(*), sum(hashtextextended(t::text, 0)) from \"{table}\" t"
    for table in WATCHED_TABLES
)


def by_person(row: str) -> dict[str, str | None]:
    """The code with which each person is refused; None for those who may."""
    return dict(zip(PEOPLE, (MEANING[word] for word in row.split()), strict=True))


@pytest.fixture
async def connection(resources: Resources, demo_url: str) -> AsyncIterator[Connection]:
    """To the server's database, in which OTHER owns team 2 and team 1 has all there is to show."""
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        await connection.execute(
            "update user_organization set role = 'OWNER' where organization_id = 2 "
            """and user_id = (select id from "user" where email = %s)""",
            [f"{OTHER}@example.org"],
        )
        await connection.execute("update credit_account set low_credits = 5 where team_id = 1")
        await connection.execute(
            "insert into credit_notice (occasion, occasion_id, team_id, address, error)"
            " values ('EXHAUSTED', 1000000, 1, 'owner@example.org', 'none of theirs')"
        )
        yield connection


async def contents(connection: Connection) -> dict[str, Any]:
    """For each watched table how many rows it has, and a checksum over them."""
    cursor = await connection.execute(CONTENTS)
    return {name: rest for name, *rest in await cursor.fetchall()}


@dataclass(frozen=True)
class Asker:
    api: Api
    connection: Connection

    async def expect(self, document: str, row: str, path: list[str]) -> dict[str, Answer]:
        """Asks as everybody. A refused field is null and says why; nothing is changed by it."""
        answers = {}
        before = await contents(self.connection)
        for person, code in by_person(row).items():
            answer = answers[person] = await self.api(person, document)
            asked = f"{person}: {document}"
            assert answer.status == 200, asked
            assert answer.codes == ([code] if code else []), asked
            after = await contents(self.connection)
            if code:
                refused_at = answer.errors[0]["path"]
                assert refused_at == path[: len(refused_at)], asked
                assert _at(answer.data, path) is None, asked
                assert after == before, asked
            before = after
        return answers


def _at(data: Any, path: list[str]) -> Any:
    for name in path:
        data = data and data[name]
    return data


@pytest.fixture
def asker(api: Api, connection: Connection) -> Asker:
    return Asker(api, connection)


def root_fields() -> set[str]:
    graphql_schema = schema._schema
    roots = (
        graphql_schema.query_type,
        graphql_schema.mutation_type,
        graphql_schema.subscription_type,
    )
    return {name for root in roots if root for name in root.fields}


def fields_of(type_name: str) -> set[str]:
    found = schema._schema.type_map[type_name]
    assert isinstance(found, GraphQLObjectType)
    return set(found.fields)


def field_name(selection: str) -> str:
    return selection.partition("(")[0].partition(" ")[0]


def test_every_root_field_has_a_row() -> None:
    assert ROOT_FIELDS.keys() | SUBSCRIPTIONS.keys() == root_fields()


def test_every_field_of_teams_and_people_is_open_or_has_a_row() -> None:
    assert {field_name(s) for s in TEAM_FIELDS} == fields_of("Team") - OPEN_TEAM_FIELDS
    guarded = {*FIELDS_OF_THE_LED, *(field_name(s) for s in PRIVATE_FIELDS)}
    assert guarded == fields_of("User") - OPEN_USER_FIELDS
    assert {*NEEDS_FIELDS, "remaining"} == fields_of("CampaignCreditEstimate")


@pytest.mark.parametrize("name", ROOT_FIELDS)
async def test_root_field(asker: Asker, name: str) -> None:
    document, row = ROOT_FIELDS[name]
    answers = await asker.expect(document, row, [name])
    for person, code in by_person(row).items():
        if code is None and (name, person) != ("currentUser", "nobody"):
            assert answers[person].data[name] is not None, person


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
async def test_subscription(
    resources: Resources, api: Api, connection: Connection, name: str
) -> None:
    """Nobody is refused the whole connection."""
    document, row = SUBSCRIPTIONS[name]
    before = await contents(connection)
    async with listening(resources) as port:
        for person, code in by_person(row).items():
            async with socket_to(port, cookie=await api.cookie(person)) as socket:
                if person == "nobody":
                    await socket.send({"type": "connection_init"})
                    assert await socket.closed() == 4401
                    continue
                await socket.introduce()
                subscription = await socket.subscribe(document)
                if code:
                    assert await subscription.ended() == [code], person
                else:
                    assert await subscription.told() is not None, person
    assert await contents(connection) == before


async def test_fields_of_a_team(asker: Asker) -> None:
    for selection, row in TEAM_FIELDS.items():
        name = field_name(selection)
        document = f'{{ team(id: "1") {{ id {selection} }} }}'
        answers = await asker.expect(document, row, ["team", name])
        for person, code in by_person(row).items():
            if code is None:
                assert answers[person].data["team"][name] is not None, f"{person}: {document}"


@pytest.mark.parametrize(
    "settings", [{"credits_visible_to": name} for name in FIGURES_VISIBLE_TO], indirect=True
)
async def test_figures_are_for_those_whom_the_setting_names(
    asker: Asker, settings: Settings
) -> None:
    row = FIGURES_VISIBLE_TO[settings.credits_visible_to]
    for selection in FIGURES:
        document = f'{{ team(id: "1") {{ id {selection} }} }}'
        await asker.expect(document, row, ["team", field_name(selection)])


@pytest.mark.parametrize(
    "settings", [{"credits_visible_to": name} for name in FIGURES_VISIBLE_TO], indirect=True
)
async def test_credits_in_usage_are_for_those_who_may_see_both(
    api: Api, connection: Connection, settings: Settings
) -> None:
    row = FIGURES_VISIBLE_TO[settings.credits_visible_to]
    document = f'{{ team(id: "1") {{ usage({TODAY}) {{ texts creditsUsed }} }} }}'
    for person in ("admin", "owner", "superadmin"):
        answer = await api(person, document)
        code = by_person(row)[person]
        assert answer.codes == ([code] if code else []), person
        assert answer.data["team"]["usage"] == [{"texts": 0, "creditsUsed": None if code else 0}]


@pytest.mark.parametrize("settings", [{"credits_visible_to": "OWNER"}], indirect=True)
async def test_owners_see_the_figures_of_their_own_team_alone(
    api: Api, connection: Connection
) -> None:
    own = (await api(OTHER, '{ team(id: "2") { purchasedCredits } }')).ok
    assert own["team"] == {"purchasedCredits": 10}
    # OTHER is a TEXTER of team 3 besides.
    texted = await api(OTHER, '{ team(id: "3") { name purchasedCredits } }')
    assert texted.codes == ["FORBIDDEN"]
    assert texted.data["team"] == {"name": "Student Climate Network", "purchasedCredits": None}
    assert (await api(OTHER, '{ team(id: "1") { purchasedCredits } }')).codes == ["FORBIDDEN"]


@pytest.fixture
async def counted(api: Api, resources: Resources, connection: Connection) -> None:
    await api("superadmin", '{ campaign(id: "1") { creditEstimate { contacts } } }')
    await make_estimates(resources.database, resources.settings)


@pytest.mark.usefixtures("counted")
async def test_what_a_campaign_needs_is_for_those_who_run_it(asker: Asker) -> None:
    for name in NEEDS_FIELDS:
        document = f'{{ campaign(id: "1") {{ id creditEstimate {{ {name} }} }} }}'
        path = ["campaign", "creditEstimate", name]
        answers = await asker.expect(document, NEEDS, path)
        for person, code in by_person(NEEDS).items():
            if code is None:
                assert _at(answers[person].data, path) is not None, f"{person}: {document}"


@pytest.mark.usefixtures("counted")
async def test_the_calculator_of_a_campaign_is_for_those_who_run_it(asker: Asker) -> None:
    document = '{ estimateCredits(campaignId: "1") { credits } }'
    answers = await asker.expect(document, NEEDS, ["estimateCredits"])
    for person, code in by_person(NEEDS).items():
        if code is None:
            assert answers[person].data == {"estimateCredits": {"credits": 60}}, person


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize(
    "settings", [{"credits_visible_to": name} for name in FIGURES_VISIBLE_TO], indirect=True
)
async def test_what_remains_for_a_campaign_is_for_those_whom_the_setting_names(
    asker: Asker, settings: Settings
) -> None:
    document = '{ campaign(id: "1") { id creditEstimate { contacts remaining } } }'
    row = FIGURES_VISIBLE_TO[settings.credits_visible_to]
    await asker.expect(document, row, ["campaign", "creditEstimate", "remaining"])


async def test_only_who_may_see_what_a_campaign_needs_has_it_counted(
    api: Api, connection: Connection
) -> None:
    wishes = "select campaign_id from campaign_estimate"
    for person in ("suspended", "texter", OTHER):
        for document in (
            '{ campaign(id: "1") { creditEstimate { contacts } } }',
            '{ estimateCredits(campaignId: "1") { credits } }',
        ):
            assert (await api(person, document)).codes == ["FORBIDDEN"]
    assert await (await connection.execute(wishes)).fetchall() == []
    await api("supervolunteer", document)
    assert await (await connection.execute(wishes)).fetchall() == [(1,)]


async def test_fields_of_a_notice(api: Api, connection: Connection) -> None:
    assert NOTICE_FIELDS.keys() == fields_of("CreditNotice") - {"id"}
    for name, row in NOTICE_FIELDS.items():
        for person, word in zip(("admin", "owner", "superadmin"), row.split(), strict=True):
            answer = await api(person, f'{{ creditNotices(teamId: "1") {{ id {name} }} }}')
            assert answer.codes == ([MEANING[word]] if MEANING[word] else []), (person, name)
            if MEANING[word]:
                assert answer.data["creditNotices"][0][name] is None


async def test_fields_of_a_person_are_for_them_and_who_leads_them(asker: Asker) -> None:
    selections = {**dict.fromkeys(FIELDS_OF_THE_LED, LED), **dict.fromkeys(PRIVATE_FIELDS, PRIVATE)}
    for selection, row in selections.items():
        document = f'{{ assignment(id: "1") {{ texter {{ id {selection} }} }} }}'
        await asker.expect(document, row, ["assignment", "texter", field_name(selection)])


async def test_everybody_sees_all_of_themselves(api: Api) -> None:
    document = f"{{ currentUser {{ {' '.join((*FIELDS_OF_THE_LED, *PRIVATE_FIELDS))} }} }}"
    for person in PEOPLE[1:]:
        assert (await api(person, document)).ok["currentUser"]["email"] == f"{person}@example.org"


async def test_organization_leads_to_the_team_of_its_members(asker: Asker) -> None:
    #      nobody susp. texter superv. admin owner other superadmin
    row = "login  no    ok     ok      ok    ok    no    ok"
    document = '{ organization(id: "1") { name team { id creditStatus } } }'
    answers = await asker.expect(document, row, ["organization", "team"])
    for person, code in by_person(row).items():
        if code is None:
            team = {"id": "1", "creditStatus": "AVAILABLE"}
            assert answers[person].data["organization"]["team"] == team, person


@pytest.mark.parametrize("noun", ["campaign", "assignment"])
async def test_the_banner_is_for_members(asker: Asker, noun: str) -> None:
    #      nobody susp. texter superv. admin owner other superadmin
    row = "login  no    ok     ok      ok    ok    no    ok"
    document = f'{{ {noun}(id: "1") {{ id creditStatus }} }}'
    answers = await asker.expect(document, row, [noun, "creditStatus"])
    for person, code in by_person(row).items():
        if code is None:
            assert answers[person].data[noun]["creditStatus"] == "AVAILABLE", person


async def test_suspended_member_sees_the_organization_but_not_its_team(api: Api) -> None:
    answer = await api("suspended", "{ currentUser { organizations { id team { id } } } }")
    assert answer.codes == ["FORBIDDEN"]
    assert answer.errors[0]["path"] == ["currentUser", "organizations", 0, "team"]
    assert answer.data == {"currentUser": {"organizations": [{"id": "1", "team": None}]}}


async def test_refused_fields_are_errors_beside_the_rest_of_the_data(api: Api) -> None:
    answer = await api(
        "admin",
        '{ team(id: "1") { name remainingCredits creditStatus turningOnWouldBlock } '
        'other: team(id: "2") { name } currentUser { displayName } }',
    )
    assert answer.data == {
        "team": {
            "name": "North Valley Field",
            "remainingCredits": None,
            "creditStatus": "AVAILABLE",
            "turningOnWouldBlock": None,
        },
        "other": None,
        "currentUser": {"displayName": "Adam Admin"},
    }
    assert {tuple(error["path"]): error["extensions"]["code"] for error in answer.errors} == {
        ("team", "remainingCredits"): "FORBIDDEN",
        ("team", "turningOnWouldBlock"): "FORBIDDEN",
        ("other",): "FORBIDDEN",
    }
    sentences = {error["message"] for error in answer.errors}
    assert sentences == {"You are not authorized to access that resource."}


async def test_nobody_is_told_to_sign_in(api: Api) -> None:
    answer = await api("nobody", '{ team(id: "1") { id } }')
    assert answer.data == {"team": None}
    assert answer.errors[0]["message"] == "You must login to access that resource."


async def test_only_superadmins_learn_which_teams_do_not_exist(api: Api) -> None:
    for unknown in ("team", "organization"):
        document = f'{{ {unknown}(id: "987654") {{ id }} }}'
        assert (await api("superadmin", document)).codes == ["NOT_FOUND"]
        for person in ("texter", "owner", OTHER):
            assert (await api(person, document)).codes == ["FORBIDDEN"]


def set_role(name: str, role: str | None) -> str:
    """The statement that gives the person this role in team 1, or takes the membership away."""
    person = f"""(select id from "user" where email = '{name}@example.org')"""
    membership = f"organization_id = 1 and user_id = {person}"
    if role is None:
        return f"delete from user_organization where {membership}"
    return f"update user_organization set role = '{role}' where {membership}"


async def test_losing_a_role_counts_at_the_next_request(api: Api, connection: Connection) -> None:
    document = 'mutation($on: Boolean!) { setCreditsEnabled(teamId: "1", enabled: $on) { id } }'
    assert (await api("owner", document, on=False)).ok
    for role in ("ADMIN", "SUPERVOLUNTEER", "TEXTER", "SUSPENDED", None):
        await connection.execute(set_role("owner", role))
        before = await contents(connection)
        assert (await api("owner", document, on=True)).codes == ["FORBIDDEN"], role
        assert await contents(connection) == before, role


async def test_contacts_are_out_of_reach_for_who_was_suspended_or_left(
    api: Api, connection: Connection
) -> None:
    """By whatever way: the texter still has the assignment."""
    todos = '{ currentUser { id todos(organizationId: "1") { contacts { cell } } } }'
    assignment = '{ assignment(id: "1") { contacts { cell } } }'
    assert (await api("texter", todos)).ok["currentUser"]["todos"][0]["contacts"]
    assert (await api("texter", assignment)).ok["assignment"]["contacts"]
    for role in ("SUSPENDED", None):
        await connection.execute(set_role("texter", role))
        assert (await api("texter", assignment)).data == {"assignment": None}, role
        assert not (await api("texter", todos)).data["currentUser"]["todos"], role


async def suspend(connection: Connection, name: str, *, suspended: bool) -> None:
    await connection.execute(
        'update "user" set is_suspended = %s where email = %s', [suspended, f"{name}@example.org"]
    )


async def make_token(connection: Connection, name: str) -> str:
    token = "spoke_" + secrets.token_urlsafe(32)
    await connection.execute(
        "insert into api_token (user_id, name, token_hash) "
        """select id, 'test', %s from "user" where email = %s""",
        [hashlib.sha256(token.encode()).digest(), f"{name}@example.org"],
    )
    return token


@pytest.mark.parametrize("name", ["texter", "superadmin"])
async def test_suspended_account_is_out_at_the_very_next_request(
    api: Api, connection: Connection, name: str
) -> None:
    token = await make_token(connection, name)

    async def who_asks() -> list[str | None]:
        """By session and by token."""
        query = "{ currentUser { email } }"
        by_session = (await api(name, query)).ok["currentUser"]
        response = await api.client.post(
            "/graphql", json={"query": query}, headers={"authorization": f"Bearer {token}"}
        )
        by_token = response.json()["data"]["currentUser"]
        return [user and user["email"] for user in (by_session, by_token)]

    email = f"{name}@example.org"
    assert await who_asks() == [email, email]
    await suspend(connection, name, suspended=True)
    assert await who_asks() == [None, None]
    assert (await api(name, '{ team(id: "1") { id } }')).codes == ["UNAUTHENTICATED"]
    before = await contents(connection)
    assert (await api(name, SEND_DOCUMENT)).codes == ["UNAUTHENTICATED"]
    assert await contents(connection) == before
    await suspend(connection, name, suspended=False)
    assert await who_asks() == [email, email]
