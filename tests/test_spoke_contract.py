"""What Spoke's client sends: each of its operations, made anew from its coordinates.

The operations are facts about Spoke v10.4, kept in data/spoke_operations.json: names, arguments,
and types of fields.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, parse, validate

from schema.build import schema
from tests.api import Api

FACTS = json.loads((Path(__file__).parent / "data" / "spoke_operations.json").read_text())
SCHEMA = schema._schema
TYPES = SCHEMA.type_map
ROOTS = {"query": "RootQuery", "mutation": "RootMutation"}

_COORDINATE = re.compile(r"(\w+)\.(\w+)(?:\((.*)\))?: (.*)")
_ARGUMENT = re.compile(r"(\w+): ([\w\[\]!]+)")


@dataclass(frozen=True)
class Coordinate:
    type_name: str
    field: str
    arguments: dict[str, str]
    returned: str


@dataclass(frozen=True)
class Operation:
    name: str
    kind: str
    variables: list[str]
    coordinates: list[Coordinate]

    @property
    def document(self) -> str:
        root = ROOTS[self.kind]
        declared = f"({', '.join(self.variables)})" if self.variables else ""
        return f"{self.kind} {self.name}{declared} {{ {' '.join(self._fields(root, ()))} }}"

    def _fields(self, type_name: str, above: tuple[str, ...]) -> Iterator[str]:
        """All that are asked of a type, but no type within itself again."""
        yield "__typename"
        for asked in self.coordinates:
            inner = named(asked.returned)
            if asked.type_name == type_name and inner not in above:
                fields = list(self._fields(inner, (*above, type_name)))
                nested = f" {{ {' '.join(fields)} }}" if self._asks(inner) else ""
                for call in self._calls(asked):
                    yield call + nested

    def _asks(self, type_name: str) -> bool:
        return any(asked.type_name == type_name for asked in self.coordinates)

    def _calls(self, asked: Coordinate) -> Iterator[str]:
        """With variables of the arguments' names; or else one call for each of the right type."""
        kinds = dict(variable.removeprefix("$").split(": ") for variable in self.variables)
        given = [f"{name}: ${name}" for name in asked.arguments if name in kinds]
        fitting = [
            f"by_{name}: {asked.field}({argument}: ${name})"
            for argument, wanted in asked.arguments.items()
            for name, kind in kinds.items()
            if kind.rstrip("!") == wanted.rstrip("!")
        ]
        if given:
            yield f"{asked.field}({', '.join(given)})"
        else:
            yield from fitting or [asked.field]


def named(type_name: str) -> str:
    return re.sub(r"[\[\]!]", "", type_name)


def read(fact: dict[str, Any]) -> Operation:
    coordinates = []
    for written in fact["coordinates"]:
        found = _COORDINATE.fullmatch(written)
        assert found, written
        type_name, field, arguments, returned = found.groups()
        given = dict(_ARGUMENT.findall(arguments or ""))
        coordinates.append(Coordinate(type_name, field, given, returned))
    return Operation(fact["name"], fact["kind"], fact["variables"], coordinates)


OPERATIONS = {
    f"{fact['name']}, {number}": read(fact) for number, fact in enumerate(FACTS["required"])
}


def test_there_are_41_of_them() -> None:
    assert len(OPERATIONS) == 41


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_each_is_valid_here(operation: Operation) -> None:
    assert validate(SCHEMA, parse(operation.document)) == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_fields_have_spokes_types(operation: Operation) -> None:
    """But for root fields, which are nullable here: see schema/root.py."""
    for asked in operation.coordinates:
        kind = TYPES[asked.type_name]
        assert isinstance(kind, GraphQLObjectType)
        field = kind.fields[asked.field]
        expected = asked.returned
        if asked.type_name in ROOTS.values():
            expected = expected.removesuffix("!")
        assert str(field.type) == expected, asked
        for name, wanted in asked.arguments.items():
            assert str(field.args[name].type) == wanted, asked


def test_inputs_and_choices_have_spokes_names() -> None:
    for name, fact in FACTS["types"].items():
        kind = TYPES[name]
        if fact["kind"] == "input":
            assert isinstance(kind, GraphQLInputObjectType)
            ours = {field: str(found.type) for field, found in kind.fields.items()}
            assert ours.items() >= fact["fields"].items(), name
        elif fact["kind"] == "enum":
            assert isinstance(kind, GraphQLEnumType)
            assert list(kind.values) == fact["values"]


VARIABLES: dict[str, Any] = {
    "organizationId": "1",
    "userId": "5",
    "campaignId": "1",
    "assignmentId": "1",
    "count": 5,
    "numberContacts": 5,
    "email": "texter@example.org",
    "preferredTeamId": "-1",
    "campaignContactId": "1",
    "contactId": "1",
    "contactIds": ["1", "2"],
    "interactionStepIds": ["1"],
    "message": {"text": "Hi!", "contactNumber": "+12022010000", "assignmentId": "1"},
    "optOut": {
        "cell": "+12022010000",
        "assignmentId": "1",
        "message": {"text": "Bye.", "contactNumber": "+12022010000", "assignmentId": "1"},
        "reason": "",
    },
    "closeConversation": True,
    "tag": {
        "addedTagIds": ["1"],
        "removedTagIds": ["2"],
        "message": {"text": "Hi!", "contactNumber": "+12022010000", "assignmentId": "1"},
    },
    "messageStatus": "convo",
    "questionResponses": [
        {"campaignContactId": "1", "interactionStepId": "1", "value": "Yes"},
    ],
    "contactsFilter": {"messageStatus": "needsMessage", "isOptedOut": False},
    "invite": {"is_valid": True},
    "userEmail": "texter@example.org",
    "superAdminStatus": True,
    "userData": {
        "firstName": "Terry",
        "lastName": "Texter",
        "email": "texter@example.org",
        "cell": "+12025550100",
        "notificationFrequency": "DAILY",
    },
    "formData": {
        "password": "spoke-demo-1",
        "newPassword": "spoke-demo-2",
        "passwordConfirm": "spoke-demo-2",
    },
}
FOR_SUPERADMINS = {"EditSuperAdminStatus", "createInvite", "GetOrganizations", "GetSuperAdmins"}
REFUSED = {"bulkSendMessages": ["NOT_SUPPORTED"]}
OWNERS_SETTINGS = {
    "startCampaignRequiresApproval",
    "scriptPreviewForSupervolunteers",
    "defaultCampaignBuilderMode",
    "defaultAutosendingControlsMode",
    "defaulTexterApprovalStatus",
    "numbersApiKey",
    "trollbotWebhookUrl",
}
"""Of which texters read nothing."""


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_each_is_answered(api: Api, operation: Operation) -> None:
    names = [variable.removeprefix("$").split(":")[0] for variable in operation.variables]
    given = {name: VARIABLES[name] for name in names if name in VARIABLES}
    who = "superadmin" if operation.name in FOR_SUPERADMINS else "texter"
    answer = await api(who, operation.document, **given)
    refused = [error for error in answer.errors if error["path"][-1] not in OWNERS_SETTINGS]
    codes = [error["extensions"]["code"] for error in refused]
    assert codes == REFUSED.get(operation.name, [])
    if operation.name not in REFUSED:
        assert all(value is not None for value in answer.data.values())
