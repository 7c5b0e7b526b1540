"""Which documents the Spoke behind us may be handed."""

import re
from typing import Any

import pytest
from graphql import GraphQLObjectType

from schema.documents import Documents, InvalidDocument
from schema.foreign import MOST_REMEMBERED, OURS, SENDING, ForeignDocuments
from server.graphql import GRAPHQL_SCHEMA
from tests.test_spoke_contract import FACTS


@pytest.fixture
def foreign() -> ForeignDocuments:
    return ForeignDocuments(GRAPHQL_SCHEMA, Documents(GRAPHQL_SCHEMA))


def refusal(foreign: ForeignDocuments, text: str) -> list[str]:
    """The codes; empty for a document that may go."""
    try:
        foreign.has(text)
    except InvalidDocument as invalid:
        errors: Any = invalid.errors
        return [error["extensions"]["code"] for error in errors]
    return []


@pytest.mark.parametrize(
    "text",
    [
        "{ currentUser { id } }",
        "{ __schema { types { name } } }",
        "query($id: ID!) { team(id: $id) { creditStatus } }",
        'mutation { handleConversation(campaignContactId: "1", closeConversation: true) { id } }',
    ],
)
def test_what_is_valid_here_is_ours(foreign: ForeignDocuments, text: str) -> None:
    assert not foreign.has(text)


@pytest.mark.parametrize(
    "text",
    [
        '{ people(organizationId: "1") { users { id } } }',
        '{ team(id: "1") { title users { id } } }',
        'mutation { startCampaign(id: "1") { id } }',
        '{ organization(id: "1", utc: "0") { campaigns { id } } }',
        "query A { currentUser { id } } query B { noSuchField }",
        'mutation { sendReply(id: "1", message: "sendMessage") { id } }',
    ],
)
def test_what_is_not_goes_to_spoke(foreign: ForeignDocuments, text: str) -> None:
    assert foreign.has(text)
    assert foreign.has(text), "and again"


@pytest.mark.parametrize("name", sorted(SENDING))
@pytest.mark.parametrize(
    "text",
    [
        "mutation {{ {name}(unknown: 1) {{ id }} }}",
        "mutation {{ startCampaign(id: 1) {{ id }} harmless: {name}(unknown: 1) {{ id }} }}",
        "mutation {{ ...A }} fragment A on RootMutation {{ {name}(unknown: 1) {{ id }} }}",
        "mutation {{ ...A }} fragment A on RootMutation {{ ...B }}"
        " fragment B on RootMutation {{ ... on RootMutation {{ {name}(unknown: 1) {{ id }} }} }}",
        "mutation {{ ...A }} fragment A on Nothing {{ {name}(unknown: 1) {{ id }} }}",
        "mutation {{ ... @include(if: true) {{ {name}(unknown: 1) @skip(if: false) {{ id }} }} }}",
        "query A {{ noSuchField }} mutation B {{ {name}(unknown: 1) {{ id }} }}",
        "mutation {{ ...A }} fragment A on RootMutation {{ ...A {name}(unknown: 1) {{ id }} }}",
        "mutation {{ \\ufeff,,, # {{\r{name} # }}\n (unknown: 1) {{ id }} }}",
        "mutation {{ noSuchField {{ deeply {{ {name}(unknown: 1) {{ id }} }} }} }}",
    ],
)
def test_what_sends_texts_goes_nowhere(foreign: ForeignDocuments, text: str, name: str) -> None:
    text = text.replace("\\ufeff", "\ufeff")
    assert "GRAPHQL_VALIDATION_FAILED" in refusal(foreign, text.format(name=name))


def test_what_sends_texts_goes_nowhere_beyond_our_limits(foreign: ForeignDocuments) -> None:
    sends = " ".join(
        f'a{n}: sendMessage(campaignContactId: "1", message: {{}}) {{ id }}' for n in range(50)
    )
    assert refusal(foreign, f"mutation {{ {sends} }}") == ["GRAPHQL_VALIDATION_FAILED"]
    padding = " ".join(f"f{n}" for n in range(2000))
    assert refusal(foreign, f"mutation {{ {padding} sendMessage {{ id }} }}") == [
        "GRAPHQL_PARSE_FAILED"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{ teams(limit: 10) { teams { creditStatus } } noSuchField }",
        '{ people(organizationId: "1") { users { id } } accountUsage { rows { texts } } }',
        '{ team(id: "1") { title creditStatus } }',
        "mutation { ...A } fragment A on RootMutation { startCampaign(id: 1) { id } "
        "addCredits(teamId: 1, amount: 1) { id } }",
        '{ organization(id: "1", utc: "0") { id settings { creditsEnabled } } }',
    ],
)
def test_documents_of_both_are_refused(foreign: ForeignDocuments, text: str) -> None:
    assert refusal(foreign, text) == ["MIXED_DOCUMENT"]


def test_a_mistake_about_credits_is_told_here(foreign: ForeignDocuments) -> None:
    assert refusal(foreign, "mutation { addCredits(teamId: 1) { id } }") == [
        "GRAPHQL_VALIDATION_FAILED"
    ]


@pytest.mark.parametrize("text", ["{", "mutation { sendMessage ", "{ a }}", "\\x00{ a }", "type"])
def test_what_can_not_be_parsed_is_answered_here(foreign: ForeignDocuments, text: str) -> None:
    assert refusal(foreign, text) == ["GRAPHQL_PARSE_FAILED"]


@pytest.mark.long
def test_memory_has_an_end(foreign: ForeignDocuments) -> None:
    for number in range(MOST_REMEMBERED + 10):
        assert foreign.has(f"{{ field{number} }}")
    assert foreign.has("{ long }" + " " * 100_000)
    assert len(foreign._remembered) == MOST_REMEMBERED


def test_ours_are_the_names_that_only_we_have() -> None:
    """What asks for a new one, and for what only Spoke has, must not go there."""
    spokes = {
        tuple(re.split(r"[:(.]", coordinate)[:2])
        for operation in FACTS["required"]
        for coordinate in operation["coordinates"]
    }
    shared_types = {type_name for type_name, _ in spokes} | {"Team", "RootSubscription"}
    about_credits = {
        name
        for kind in GRAPHQL_SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType) and kind.name in shared_types
        for name in kind.fields
        if "credit" in name.lower()
    }
    assert about_credits <= OURS
    assert OURS & {name for _, name in spokes} == set()
