"""What the API says of itself: complete, described, bounded, and the same as the file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    get_introspection_query,
    get_named_type,
    is_required_argument,
)

from schema.build import schema
from tests.api import Api

REPOSITORY = Path(__file__).parents[1]
TYPES = {
    name: found
    for name, found in schema._schema.type_map.items()
    if not name.startswith("__") and name not in {"Boolean", "Float", "ID", "Int", "String"}
}
ROOTS = ("RootQuery", "RootMutation", "RootSubscription")

# Fields that need no words; those of Spoke's own types are known to those who use them.
SPEAKING = {"id", "name"}
SPEAKING_ENUMS = {
    "AutosendingControlsMode",
    "CampaignBuilderMode",
    "RequestAutoApprove",
    "TeamOrder",
    "UserRole",
}
SPOKES_TYPES = {
    "Assignment",
    "AnswerOption",
    "AssignmentRequest",
    "AssignmentTarget",
    "Campaign",
    "CampaignContact",
    "CampaignContactTag",
    "CampaignVariable",
    "CannedResponse",
    "InteractionStep",
    "Invite",
    "Location",
    "Message",
    "OptOut",
    "Organization",
    "OrganizationMembership",
    "OrganizationMembershipEdge",
    "OrganizationMembershipPage",
    "OrganizationSettings",
    "Question",
    "Tag",
    "User",
}
DESCRIBED_ARGUMENTS = (
    "RootQuery.team",
    "RootQuery.teams",
    "RootQuery.estimateCredits",
    "RootQuery.creditNotices",
    "RootMutation.setCreditsEnabled",
    "RootMutation.setLowCreditsThreshold",
    "RootMutation.setRunningLowMail",
    "RootMutation.addCredits",
    "RootMutation.removeCreditPurchase",
    "RootMutation.sendMessage",
    "RootSubscription.teamCredits",
    "RootQuery.accountUsage",
    "Team.creditPurchases",
    "Team.usage",
    "Team.campaigns",
)
TODAY = f'from: "{datetime.now(UTC).date()}", to: "{datetime.now(UTC).date()}"'
# Every list whose length the client chooses: how to ask for so many, and the most that it gives.
BOUNDED_LISTS = {
    "RootQuery.teams": ("{ teams(limit: %d) { teams { id } } }", 1000),
    "RootQuery.accountUsage": (
        f"{{ accountUsage({TODAY}, limit: %d) {{ rows {{ texts }} }} }}",
        1000,
    ),
    "RootQuery.creditNotices": ('{ creditNotices(teamId: "2", limit: %d) { id } }', 500),
    "Team.creditPurchases": ('{ team(id: "1") { creditPurchases(limit: %d) { id } } }', 500),
    "Team.campaigns": ('{ team(id: "1") { campaigns(limit: %d) { id } } }', 100),
    "User.memberships": ("{ currentUser { memberships(first: %d) { edges { cursor } } } }", 1000),
}


def fields() -> Iterator[tuple[str, GraphQLField]]:
    """Every field of every object type, as Type.field."""
    for type_name, found in TYPES.items():
        if isinstance(found, GraphQLObjectType):
            for name, field in found.fields.items():
                yield f"{type_name}.{name}", field


def arguments_of(coordinate: str) -> dict[str, GraphQLArgument]:
    return dict(fields())[coordinate].args


def test_the_file_is_current() -> None:
    """`make schema` writes it."""
    assert (REPOSITORY / "schema.graphql").read_text() == schema.as_str() + "\n"


def test_roots_are_named_as_spokes() -> None:
    graphql_schema = schema._schema
    assert graphql_schema.query_type is TYPES["RootQuery"]
    assert graphql_schema.mutation_type is TYPES["RootMutation"]
    assert graphql_schema.subscription_type is TYPES["RootSubscription"]


def test_root_fields_are_nullable() -> None:
    """A refusal must not take away the answer of work that is already committed."""
    roots = {name: field for name, field in fields() if name.partition(".")[0] in ROOTS}
    assert len(roots) >= 13
    assert [name for name, f in roots.items() if isinstance(f.type, GraphQLNonNull)] == []


@pytest.mark.parametrize("name", sorted(TYPES.keys() - set(ROOTS)))
def test_type_is_described(name: str) -> None:
    assert TYPES[name].description


def test_fields_are_described() -> None:
    undescribed = [
        coordinate
        for coordinate, field in fields()
        if not field.description
        and coordinate.partition(".")[0] not in SPOKES_TYPES
        and coordinate.partition(".")[2] not in SPEAKING
    ]
    assert undescribed == []


def test_inputs_are_described() -> None:
    inputs = [found for found in TYPES.values() if isinstance(found, GraphQLInputObjectType)]
    assert inputs
    undescribed = [
        f"{found.name}.{name}"
        for found in inputs
        for name, field in found.fields.items()
        if not field.description
    ]
    assert undescribed == []


def test_choices_are_described() -> None:
    """Each by itself or in the description of the enum, but for those whose names say it all."""
    enums = [found for found in TYPES.values() if isinstance(found, GraphQLEnumType)]
    undescribed = [
        f"{found.name}.{name}"
        for found in enums
        if found.name not in SPEAKING_ENUMS
        for name, value in found.values.items()
        if not value.description and name not in (found.description or "")
    ]
    assert undescribed == []


@pytest.mark.parametrize("coordinate", DESCRIBED_ARGUMENTS)
def test_arguments_are_described(coordinate: str) -> None:
    arguments = arguments_of(coordinate)
    assert arguments
    assert [name for name, argument in arguments.items() if not argument.description] == []


def test_every_bound_is_known() -> None:
    bounded = {name for name, field in fields() if {"limit", "first"} & field.args.keys()}
    assert bounded == BOUNDED_LISTS.keys()


async def test_no_list_gives_more_than_its_most(api: Api) -> None:
    for name, (document, most) in BOUNDED_LISTS.items():
        for limit, codes in ((1, []), (most, []), (most + 1, ["BAD_USER_INPUT"])):
            answer = await api("superadmin", document % limit)
            assert answer.codes == codes, (name, limit)
        assert (await api("superadmin", document % 0)).codes == ["BAD_USER_INPUT"], name


@pytest.mark.parametrize(
    "coordinate",
    [
        "RootQuery.teams",
        "RootQuery.accountUsage",
        "RootQuery.creditNotices",
        "Team.creditPurchases",
        "Team.campaigns",
    ],
)
def test_bound_is_told(coordinate: str) -> None:
    _, most = BOUNDED_LISTS[coordinate]
    field = dict(fields())[coordinate]
    limit = field.args.get("limit") or field.args["first"]
    assert str(most) in f"{field.description} {limit.description}"


# So that no field of these is null for want of something to show.
MARKS = """
update organization set deleted_at = now() where id = 2;
insert into opt_out (cell, organization_id, assignment_id, reason_code)
  select cell, 1, assignment_id, '' from campaign_contact where id = 1;
insert into campaign_estimate (campaign_id, computed_at, contacts, credits, margin, fingerprint)
  values (1, now(), 59, 59, 0, '');
insert into invite (is_valid, hash) values (true, '1');
insert into assignment_request (organization_id, user_id, amount)
  select 1, id, 5 from "user" where email = 'texter@example.org';
insert into zip_code (zip, city, state, latitude, longitude, timezone_offset, has_dst)
  values ('62704', 'Springfield', 'IL', 39.77, -89.69, -6, true);
update campaign_contact set zip = '62704-1234' where id = 1;
insert into all_question_response (campaign_contact_id, interaction_step_id, value)
  values (1, 1, 'Yes');
insert into campaign_contact_tag (campaign_contact_id, tag_id, tagger_id) values (1, 1, 1);
insert into campaign_variable (campaign_id, display_order, name, value)
  values (1, 1, 'cv:place', 'the library')
"""
# For each type a way to it, in the demo data.
WAYS = {
    "AnswerOption": ("superadmin", '{ contact(id: "1") { questionResponseValues { %s } } }'),
    "AssignmentRequest": (
        "texter",
        '{ currentUser { currentRequest(organizationId: "1") { %s } } }',
    ),
    "AssignmentTarget": (
        "texter",
        '{ organization(id: "1") { myCurrentAssignmentTargets { %s } } }',
    ),
    "FoundContact": (
        "texter",
        'mutation { findNewCampaignContact(assignmentId: "1", numberContacts: 1) { %s } }',
    ),
    "Assignment": ("superadmin", '{ assignment(id: "1") { %s } }'),
    "Campaign": ("superadmin", '{ campaign(id: "1") { %s } }'),
    "CampaignCreditEstimate": ("superadmin", '{ campaign(id: "1") { creditEstimate { %s } } }'),
    "CampaignContact": ("superadmin", '{ contact(id: "1") { %s } }'),
    "CampaignContactTag": ("superadmin", '{ contact(id: "1") { tags { %s } } }'),
    "CampaignVariable": ("superadmin", '{ campaign(id: "1") { campaignVariables { %s } } }'),
    "CannedResponse": ("superadmin", '{ campaign(id: "1") { cannedResponses { %s } } }'),
    "CreditEstimate": ("texter", '{ estimateCredits(text: "Hi!", recipients: 2) { %s } }'),
    "CreditNotice": ("superadmin", '{ creditNotices(teamId: "2") { %s } }'),
    "CreditPurchase": ("superadmin", "{ team(id: 1) { creditPurchases { %s } } }"),
    "Invite": ("nobody", '{ inviteByHash(hash: "1") { %s } }'),
    "InteractionStep": ("superadmin", '{ campaign(id: "1") { interactionSteps { %s } } }'),
    "Location": ("superadmin", '{ contact(id: "1") { location { %s } } }'),
    "Message": ("superadmin", '{ contact(id: "1") { messages { %s } } }'),
    "OptOut": ("superadmin", '{ contact(id: "1") { optOut { %s } } }'),
    "Organization": ("superadmin", "{ organizations { %s } }"),
    "OrganizationMembership": (
        "owner",
        "{ currentUser { memberships { edges { node { %s } } } } }",
    ),
    "OrganizationMembershipEdge": ("owner", "{ currentUser { memberships { edges { %s } } } }"),
    "OrganizationMembershipPage": ("owner", "{ currentUser { memberships { %s } } }"),
    "OrganizationSettings": ("superadmin", '{ organization(id: "1") { settings { %s } } }'),
    "PageInfo": ("superadmin", "{ teams { pageInfo { %s } } }"),
    "Question": ("superadmin", '{ campaign(id: "1") { interactionSteps { question { %s } } } }'),
    "RelayPageInfo": ("owner", "{ currentUser { memberships { pageInfo { %s } } } }"),
    "Tag": ("superadmin", '{ organization(id: "1") { tagList { %s } } }'),
    "Team": ("superadmin", "{ teams { teams { %s } } }"),
    "TeamPage": ("superadmin", "{ teams { %s } }"),
    "Usage": ("superadmin", f"{{ accountUsage({TODAY}) {{ rows {{ %s }} }} }}"),
    "UsagePage": ("superadmin", f"{{ accountUsage({TODAY}) {{ %s }} }}"),
    "User": ("superadmin", "{ currentUser { %s } }"),
}


ARGUMENTS = {"ID": '"1"', "String": '"1"', "Date": '"2026-11-22"'}
"""For each type of a required argument a value."""


def selection(name: str) -> str:
    """Every field of the type, with what its arguments need at least."""
    kind = TYPES[name]
    assert isinstance(kind, GraphQLObjectType)
    return " ".join(
        field_name + needed_arguments(field) + (" { __typename }" if is_object(field) else "")
        for field_name, field in kind.fields.items()
    )


def needed_arguments(field: GraphQLField) -> str:
    needed = {name: one.type for name, one in field.args.items() if is_required_argument(one)}
    given = [f"{name}: {ARGUMENTS[get_named_type(kind).name]}" for name, kind in needed.items()]
    return f"({', '.join(given)})" if given else ""


def is_object(field: GraphQLField) -> bool:
    return isinstance(get_named_type(field.type), GraphQLObjectType)


def test_there_is_a_way_to_every_type() -> None:
    objects = {name for name, kind in TYPES.items() if isinstance(kind, GraphQLObjectType)}
    assert set(WAYS) == objects - set(ROOTS)


@pytest.mark.parametrize("name", WAYS)
async def test_every_field_is_answered(api: Api, demo_url: str, name: str) -> None:
    with psycopg.connect(demo_url) as connection:
        connection.execute(MARKS)
    who, way = WAYS[name]
    answer = await api(who, way % selection(name))
    assert not answer.errors


async def test_graphiql_may_read_the_schema(api: Api) -> None:
    """Its question is the deepest and longest one that must be within the limits."""
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    answer = (await api("nobody", query)).ok
    shown = {found["name"] for found in answer["__schema"]["types"]}
    assert shown >= TYPES.keys()


def scalar(name: str) -> GraphQLScalarType:
    found = TYPES[name]
    assert isinstance(found, GraphQLScalarType)
    return found


def test_scalars_are_these() -> None:
    scalars = {name for name, found in TYPES.items() if isinstance(found, GraphQLScalarType)}
    assert scalars == {"BigInt", "Date", "JSON", "Phone"}


@pytest.mark.parametrize("value", [0, -1, 2**31, 2**53, -(2**53)])
def test_big_int_is_exact(value: int) -> None:
    assert scalar("BigInt").serialize(value) == value
    assert scalar("BigInt").parse_value(value) == value


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63, 1.0, "1", True, None])
def test_big_int_refuses_what_would_not_be_exact(value: Any) -> None:
    for conversion in (scalar("BigInt").serialize, scalar("BigInt").parse_value):
        with pytest.raises(GraphQLError, match="2\\^53"):
            conversion(value)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 11, 22, 12, 18, 42, 252_000, UTC), "2026-11-22T12:18:42.252Z"),
        (datetime(2026, 11, 22, 12, 18, 42, 0, UTC), "2026-11-22T12:18:42.000Z"),
        (datetime(2026, 11, 22, 12, 18, 42, 999_999, UTC), "2026-11-22T12:18:42.999Z"),
        (datetime(2026, 11, 22, 12, 18, 42, 5_000, UTC), "2026-11-22T12:18:42.005Z"),
        (
            datetime(2026, 11, 22, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2026-11-21T19:00:00.000Z",
        ),
    ],
)
def test_date_is_shown_in_milliseconds_and_utc(moment: datetime, shown: str) -> None:
    assert scalar("Date").serialize(moment) == shown


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T12:18:42.252Z",
        "2026-11-22T12:18:42.252",
        "2026-11-22T13:18:42.252+01:00",
        "2026-11-22T12:18:42.252000+00:00",
        "20261122T121842.252Z",
    ],
)
def test_date_is_taken_in_any_iso_form(written: str) -> None:
    expected = datetime(2026, 11, 22, 12, 18, 42, 252_000, UTC)
    assert scalar("Date").parse_value(written) == expected


@pytest.mark.parametrize("written", ["", "yesterday", "22.11.2026", "2026-13-01", None, True, 5])
def test_date_is_refused(written: Any) -> None:
    with pytest.raises(GraphQLError, match="ISO 8601"):
        scalar("Date").parse_value(written)


@pytest.mark.parametrize("number", ["+12025550123", "+491", "+12", "+123456789012345"])
def test_phone_is_e164(number: str) -> None:
    assert scalar("Phone").parse_value(number) == number


@pytest.mark.parametrize(
    "number",
    [
        "",
        "12025550123",
        "+",
        "+1",
        "+01234567",
        "+1234567890123456",
        "+1 202 555 0123",
        "(202) 555-0123",
        "+1202555012x",
        "+12025550123\n",
        "+1202555012\u0663",
        5,
        None,
    ],
)
def test_phone_that_is_none(number: Any) -> None:
    with pytest.raises(GraphQLError, match=r"E\.164"):
        scalar("Phone").parse_value(number)


async def test_sums_outgrow_32_bits(api: Api, demo_url: str) -> None:
    question = '{ team(id: "3") { remainingCredits purchasedCredits usedCredits } }'
    with psycopg.connect(demo_url, autocommit=True) as connection:
        account = "update credit_account set balance = %s, purchased = %s where team_id = 3"
        connection.execute("insert into credit_account (team_id) values (3) on conflict do nothing")
        connection.execute(account, [-(2**40), 2**52])
        assert (await api("superadmin", question)).ok["team"] == {
            "remainingCredits": -(2**40),
            "purchasedCredits": 2**52,
            "usedCredits": 2**52 + 2**40,
        }
        connection.execute(account, [0, 2**53 + 1])
        answer = await api("superadmin", question)
    # Rather none than a wrong one, beside the one that can be told.
    assert answer.data["team"] == {
        "remainingCredits": 0,
        "purchasedCredits": None,
        "usedCredits": None,
    }
    assert len(answer.codes) == 2
