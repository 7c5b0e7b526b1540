"""What Spoke's client sends: each of its operations, made anew from its coordinates.

The operations are facts about Spoke v10.4, kept in data/spoke_operations.json: names, arguments,
and types of fields.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    parse,
    validate,
)

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
            f"{asked.field}_by_{name}: {asked.field}({argument}: ${name})"
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
BELOW_OWNER = ("texter", "supervolunteer", "admin")
OTHERS = ("supervolunteer", "admin", "superadmin")
"""Than the texter, whose account and assignment it is."""
FORBIDDEN: dict[str, Sequence[str]] = {
    "User.assignedCell": ["supervolunteer"],
    "RootMutation.changeUserPassword": OTHERS,
    "RootMutation.createInvite": BELOW_OWNER,
    "OrganizationSettings.defaulTexterApprovalStatus": BELOW_OWNER,
    "OrganizationSettings.defaultAutosendingControlsMode": ["texter", "supervolunteer"],
    "OrganizationSettings.defaultCampaignBuilderMode": ["texter"],
    "RootMutation.editSuperAdminStatus": BELOW_OWNER,
    "RootMutation.editUser": ["supervolunteer"],
    "RootMutation.findNewCampaignContact": OTHERS,
    "RootMutation.handleConversation": ["superadmin"],
    "OrganizationSettings.numbersApiKey": BELOW_OWNER,
    "RootQuery.organizations": BELOW_OWNER,
    "RootMutation.requestTexts": ["superadmin"],
    "OrganizationSettings.scriptPreviewForSupervolunteers": ["texter"],
    "RootMutation.sendMessage": ["superadmin"],
    "OrganizationSettings.startCampaignRequiresApproval": ["texter"],
    "RootQuery.superadmins": BELOW_OWNER,
    "OrganizationSettings.trollbotWebhookUrl": BELOW_OWNER,
    "RootMutation.userAgreeTerms": OTHERS,
}
"""To whom a field is. The superadmin is no member, and members alone text, as in Spoke."""
FORMATS: dict[str, Callable[[Any], bool]] = {
    "Boolean": lambda value: isinstance(value, bool),
    "Cursor": lambda value: base64.b64decode(value, validate=True).isdigit(),
    "Date": lambda value: bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value)),
    "Float": lambda value: isinstance(value, int | float),
    "ID": lambda value: bool(re.fullmatch(r"\d+", value)),
    "Int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "JSON": lambda value: isinstance(json.loads(value), dict | list),
    "Phone": lambda value: bool(re.fullmatch(r"\+\d{8,15}|", value)),
    "String": lambda value: isinstance(value, str),
}
LAST = ("handleConversation", "createOptOut")
"""They opt the contact out, and nothing is sent to it any more."""
SHOWN = {
    ("currentUser", "email"): "texter@example.org",
    ("assignment", "campaign", "title"): "North Valley Field: Saturday",
    ("assignment", "campaign", "interactionSteps", "question", "text"): "Will you come?",
    ("assignment", "contactsCount"): 60,
    ("campaign", "cannedResponses", "title"): "Where is it?",
    ("organization", "myCurrentAssignmentTargets", "maxRequestCount"): 10,
    ("organization", "tagList", "title"): "Other language",
    ("sendMessage", "messageStatus"): "messaged",
    ("editCampaignContactMessageStatus", "messageStatus"): "convo",
    ("handleConversation", "messageStatus"): "closed",
    ("handleConversation", "optOut", "cell"): "+12022010000",
    ("currentUser", "organizations", "name"): "North Valley Field",
}
"""What the texter sees, wherever it is asked for."""


def check(value: Any, kind: Any, path: tuple[str, ...] = ()) -> None:
    """Everything in an answer has the format of its type."""
    if isinstance(kind, GraphQLNonNull):
        assert value is not None, path
        kind = kind.of_type
    if value is None:
        return
    if isinstance(kind, GraphQLList):
        for one in value:
            check(one, kind.of_type, path)
    elif isinstance(kind, GraphQLObjectType):
        for name, one in value.items():
            field = name.partition("_by_")[0]
            if field == "__typename":
                assert one == kind.name
            else:
                check(one, kind.fields[field].type, (*path, field))
    elif isinstance(kind, GraphQLEnumType):
        assert value in kind.values, path
    else:
        assert FORMATS[kind.name](value), (path, value)


def seen(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each leaf with the names that lead to it."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from seen(one, (*path, name.partition("_by_")[0]))
    elif isinstance(value, list):
        for one in value:
            yield from seen(one, path)
    else:
        yield path, value


def turn(operation: Operation) -> int:
    return LAST.index(operation.name) + 1 if operation.name in LAST else 0


@pytest.mark.parametrize("who", ["texter", "supervolunteer", "admin", "superadmin"])
async def test_each_is_answered(api: Api, who: str) -> None:
    operations = sorted(OPERATIONS.values(), key=lambda one: (one.kind == "mutation", turn(one)))
    shown: list[tuple[tuple[str, ...], Any]] = []
    for operation in operations:
        names = [variable.removeprefix("$").split(":")[0] for variable in operation.variables]
        given = {name: VARIABLES[name] for name in names if name in VARIABLES}
        answer = await api(who, operation.document, **given)
        refused = {error["path"][-1]: error["extensions"]["code"] for error in answer.errors}
        if operation.name == "bulkSendMessages":
            assert refused == {"bulkSendMessages": "NOT_SUPPORTED"}
            continue
        forbidden = {
            asked.field
            for asked in operation.coordinates
            if who in FORBIDDEN.get(f"{asked.type_name}.{asked.field}", ())
        }
        assert refused == dict.fromkeys(forbidden, "FORBIDDEN"), operation.name
        check(answer.data, TYPES[ROOTS[operation.kind]])
        assert forbidden or None not in answer.data.values(), operation.name
        shown += seen(answer.data)
    if who == "texter":
        for path, value in SHOWN.items():
            assert value in [one for found, one in shown if found == path], path
