"""Every refusal has a code and a sentence, and changes nothing.

Codes are what clients act on: an error without one breaks Spoke's client, which reads it unguarded.
"""

import asyncio
import hashlib
import importlib
import json
import pkgutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx2
import psycopg
import pytest
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

import services
from models.database import ACQUIRE_SECONDS
from server.app import create_app
from server.demo import PASSWORD
from server.resources import Resources
from services.errors import Forbidden, ServiceError
from services.settings import Settings
from tests.api import ADD, SEND, Api
from tests.conftest import SECRET, MakeDatabase
from tests.servers import served
from tests.test_access import Connection, contents

JSON = MappingProxyType({"content-type": "application/json"})
BAD = "BAD_USER_INPUT"
INTERNAL = "INTERNAL_SERVER_ERROR"


@pytest.fixture
async def connection(demo_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(demo_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def closed(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP to a server without a database: for what is refused before one is needed."""
    transport = httpx2.ASGITransport(
        create_app(settings, url="", secret=SECRET), raise_app_exceptions=False
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


def subclasses(of: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for found in of.__subclasses__():
        yield found
        yield from subclasses(found)


for module in pkgutil.iter_modules(services.__path__):
    importlib.import_module(f"services.{module.name}")
ERRORS = list(subclasses(ServiceError))


@pytest.mark.parametrize("error", ERRORS)
def test_service_error_has_a_code_and_a_sentence(error: type[ServiceError]) -> None:
    assert error.code == error.code.upper()
    assert error.code.replace("_", "").isalpha()
    assert error.sentence.strip() == error.sentence != ""
    assert str(error()) == error.sentence
    assert error("Another sentence.", teamId="1").extensions == {"code": error.code, "teamId": "1"}


def test_codes_are_unique_but_for_kinds_of_forbidden() -> None:
    own = [error.code for error in ERRORS if "code" in vars(error)]
    assert len(own) == len(set(own))
    assert {error.code for error in ERRORS if "code" not in vars(error)} == {Forbidden.code}


def coded(response: httpx2.Response) -> list[str]:
    """The codes of an answer, each of whose errors must have a sentence too."""
    errors = response.json()["errors"]
    assert errors and all(error["message"] for error in errors)
    return [error["extensions"]["code"] for error in errors]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"query { currentUser { id } }",
        b"5",
        b"[]",
        b"null",
        b'"{ currentUser { id } }"',
        b'[{"query": "{ currentUser { id } }"}]',
        b'{"query": "\xff"}',
        b'{"query": "{ currentUser { id } }", "variables": {"x": "\\ud800"}}',
        b"[" * 5000,
        b"{}",
        b'{"query": ""}',
        b'{"query": null}',
        b'{"query": ["{ currentUser { id } }"]}',
        b'{"query": "{ currentUser { id } }", "variables": []}',
        b'{"query": "{ currentUser { id } }", "variables": "{}"}',
        b'{"query": "{ currentUser { id } }", "operationName": 5}',
    ],
    ids=lambda body: repr(body)[:60],
)
async def test_body_that_is_no_request(closed: httpx2.AsyncClient, body: bytes) -> None:
    response = await closed.post("/graphql", content=body, headers=JSON)
    assert (response.status_code, coded(response)) == (400, ["BAD_REQUEST"])


async def test_body_that_is_too_large(closed: httpx2.AsyncClient) -> None:
    body = b'{"query": "' + b" " * 300_000 + b'{ currentUser { id } }"}'
    response = await closed.post("/graphql", content=body, headers=JSON)
    assert (response.status_code, coded(response)) == (413, ["PAYLOAD_TOO_LARGE"])


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed"]
)
async def test_other_content_types_are_refused(
    closed: httpx2.AsyncClient, content_type: str | None
) -> None:
    """Forms of other sites could send those without asking the browser's leave."""
    headers = {} if content_type is None else {"content-type": content_type}
    response = await closed.post("/graphql", content=b'{"query": "{x}"}', headers=headers)
    assert (response.status_code, coded(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


async def test_json_is_taken_however_it_is_written(client: httpx2.AsyncClient) -> None:
    for content_type in ("application/json", "application/json; charset=utf-8", "application/JSON"):
        headers = {"content-type": content_type}
        response = await client.post(
            "/graphql", content=b'{"query": "{ __typename }"}', headers=headers
        )
        assert response.json() == {"data": {"__typename": "RootQuery"}}, content_type


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_allowed(closed: httpx2.AsyncClient, method: str) -> None:
    response = await closed.request(method, "/graphql?query={__typename}")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert len(coded(response)) == 1


def nested(levels: int) -> str:
    return "{ a " * levels + "}" * levels


def deep(levels: int) -> str:
    """A valid document with so many selections within each other, but for the outermost."""
    names = ["currentUser", "organizations", *["team", "organization"] * levels]
    return "{" + " {".join(names[:levels]) + " { id " + "}" * (levels + 1)


def aliases(count: int) -> str:
    return "{" + " ".join(f"a{number}: currentUser {{ id }}" for number in range(count)) + "}"


def forks(count: int, field: str) -> str:
    """A valid document in which as many ways as two to the power of `count` lead to a field."""
    fragments = [f"fragment F{n} on RootQuery {{ ...F{n + 1} ...F{n + 1} }}" for n in range(count)]
    return f"fragment F{count} on RootQuery {{ {field} }} {' '.join(fragments)} {{ ...F0 }}"


PARSE, VALIDATION = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("code", "document"),
    [
        (PARSE, "{"),
        (PARSE, " "),
        (PARSE, r'{ team(id: "\ud800") { id } }'),
        (PARSE, "{" + "currentUser { id } " * 260 + "}"),
        (PARSE, nested(300)),
        (PARSE, "{ a(x: " + "[" * 450 + "]" * 450 + ") }"),
        (VALIDATION, nested(50)),
        (VALIDATION, deep(11)),
        (VALIDATION, "{ ...F } fragment F on RootQuery " + deep(11)),
        (VALIDATION, aliases(16)),
        (VALIDATION, "{ ...F } fragment F on RootQuery " + aliases(16)),
        (VALIDATION, forks(60, "a: currentUser { id }")),
        (VALIDATION, forks(60, deep(11)[1:-1])),
        (VALIDATION, "{ currentUser { salary } }"),
        (VALIDATION, "{ teams }"),
        (VALIDATION, "{ team { id } }"),
        (VALIDATION, '{ team(id: "1", name: "x") { id } }'),
        (VALIDATION, "query($x: Nothing) { currentUser { id } }"),
        (VALIDATION, "{ team(id: $id) { id } }"),
        (VALIDATION, "query($n: String!) { teams(limit: $n) { teams { id } } }"),
        (VALIDATION, "mutation { addCredits(teamId: 1, amount: 2147483648) { id } }"),
        (VALIDATION, "mutation { addCredits(teamId: 1, amount: 1.5) { id } }"),
        (VALIDATION, "subscription { currentUser { id } }"),
        (VALIDATION, "{ currentUser { id } } { currentUser { id } }"),
        (VALIDATION, "{ ...F } fragment F on RootQuery { ...F }"),
        (VALIDATION, "{ ...A } fragment A on RootQuery { ...B } fragment B on RootQuery { ...A }"),
    ],
    ids=lambda value: value[:60],
)
async def test_document_that_is_refused(
    closed: httpx2.AsyncClient, code: str, document: str
) -> None:
    response = await closed.post("/graphql", json={"query": document})
    assert response.status_code == 200
    assert set(coded(response)) == {code}


@pytest.mark.parametrize(
    "document",
    [
        "{ }",
        "{ currentUser { } }",
        "{ ...Missing }",
        "{ currentUser { ...F } } fragment F on User { ...Missing }",
    ],
)
async def test_document_that_is_not_finished_is_refused(
    closed: httpx2.AsyncClient, document: str
) -> None:
    """As GraphiQL sends them while somebody is typing."""
    response = await closed.post("/graphql", json={"query": document})
    assert response.status_code == 200
    assert set(coded(response)) <= {PARSE, VALIDATION}


async def test_documents_within_every_limit_are_answered(api: Api) -> None:
    wide = "{" + "currentUser { id } " * 249 + "}"
    for document in (deep(10), aliases(15), wide, forks(60, "currentUser { id }")):
        assert (await api("texter", document)).data is not None, document


TEAM_BY_ID = "query($id: ID!) { team(id: $id) { id } }"
TEAMS = "query($n: Int!, $s: [CreditStatus!], $o: TeamOrder!) "
TEAMS += "{ teams(limit: $n, creditStatus: $s, orderBy: $o) { teams { id } } }"
ONE, OTHER = "query A { currentUser { id } }", "query B { currentUser { id } }"
MISFITS: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "operation that isn't there": (ONE, {}, "B"),
    "one of two operations": (ONE + OTHER, {}, None),
    "missing variable": (TEAM_BY_ID, {}, None),
    "null for an id": (TEAM_BY_ID, {"id": None}, None),
    "boolean for an id": (TEAM_BY_ID, {"id": True}, None),
    "fraction for an id": (TEAM_BY_ID, {"id": 1.5}, None),
    "object for an id": (TEAM_BY_ID, {"id": {"id": "1"}}, None),
    "string for a number": (TEAMS, {"n": "50", "o": "NAME_ASC"}, None),
    "2^31": (TEAMS, {"n": 2**31, "o": "NAME_ASC"}, None),
    "-2^31 - 1": (TEAMS, {"n": -(2**31) - 1, "o": "NAME_ASC"}, None),
    "beyond 64 bits": (TEAMS, {"n": 2**70, "o": "NAME_ASC"}, None),
    "status that isn't one": (TEAMS, {"n": 1, "o": "NAME_ASC", "s": ["PINK"]}, None),
    "order that isn't one": (TEAMS, {"n": 1, "o": "name_asc"}, None),
    "boolean for a number": (ADD, {"t": "1", "n": True}, None),
    "number for a text": (SEND, {"id": "1", "m": {"text": 5}}, None),
    "field that isn't there": (SEND, {"id": "1", "m": {"texts": "Hi"}}, None),
    "text for an input": (SEND, {"id": "1", "m": "Hi"}, None),
    "number not in E.164": (SEND, {"id": "1", "m": {"contactNumber": "202-555-0123"}}, None),
}


async def test_variables_and_operations_that_do_not_fit_the_document(
    client: httpx2.AsyncClient,
) -> None:
    found = {}
    for name, (document, variables, operation) in MISFITS.items():
        payload = {"query": document, "variables": variables, "operationName": operation}
        response = await client.post("/graphql", json=payload)
        found[name] = (response.status_code, set(coded(response)))
    assert found == dict.fromkeys(MISFITS, (200, {BAD}))


MALFORMED_IDS = (
    "", "abc", "1.5", "-1", "0", " 1", "1 ", "+1", "0x1", "1e3", "1_0", "1;", "\u0661", "\0",
    "9" * 30,
)  # fmt: skip
MESSAGE = 'text: "Hi", assignmentId'
PLACES_OF_IDS = {
    "team": TEAM_BY_ID,
    "organization": "query($id: String!) { organization(id: $id) { id } }",
    "campaign": "query($id: String!) { campaign(id: $id) { id } }",
    "assignment": "query($id: String!) { assignment(id: $id) { id } }",
    "contact": "query($id: String!) { contact(id: $id) { id } }",
    "todos": "query($id: String!) { currentUser { todos(organizationId: $id) { id } } }",
    "memberships": "query($id: String!) "
    "{ currentUser { memberships(organizationId: $id) { edges { cursor } } } }",
    "roles": "query($id: String!) { currentUser { roles(organizationId: $id) } }",
    "setCreditsEnabled": "mutation($id: ID!) "
    "{ setCreditsEnabled(teamId: $id, enabled: true) { id } }",
    "addCredits": "mutation($id: ID!) { addCredits(teamId: $id, amount: 5) { id } }",
    "removeCreditPurchase": "mutation($id: ID!) { removeCreditPurchase(id: $id) { id } }",
    "sendMessage": "mutation($id: String!) "
    f'{{ sendMessage(campaignContactId: $id, message: {{{MESSAGE}: "1"}}) {{ id }} }}',
    "sendMessage's assignment": "mutation($id: String!) "
    f'{{ sendMessage(campaignContactId: "1", message: {{{MESSAGE}: $id}}) {{ id }} }}',
    "sendMessage's variables": "mutation($id: String!) { sendMessage(campaignContactId: "
    f'"1", message: {{{MESSAGE}: "1", campaignVariableIds: [$id]}}) {{ id }} }}',
}
LARGEST_IDS = {"removeCreditPurchase": 2**63 - 1}


async def test_malformed_ids(api: Api, connection: Connection) -> None:
    before = await contents(connection)
    for place, document in PLACES_OF_IDS.items():
        largest = LARGEST_IDS.get(place, 2**31 - 1)
        malformed = (*MALFORMED_IDS, str(largest + 1))
        found = {value: (await api("superadmin", document, id=value)).codes for value in malformed}
        assert found == {value: [BAD] for value in malformed}, place
        refused = await api("superadmin", document, id=str(largest))
        assert set(refused.codes) <= {"NOT_FOUND", "FORBIDDEN"}, place
    assert await contents(connection) == before


ADD_NOTED = "mutation($n: String) { addCredits(teamId: 1, amount: 5, note: $n) { id } }"
SEARCH = "query($s: String) { teams(search: $s) { teams { id } } }"
MEMBERSHIPS = "query($a: String, $f: Int) "
MEMBERSHIPS += "{ currentUser { memberships(after: $a, first: $f) { edges { cursor } } } }"
CONTACTS = "query($m: String) "
CONTACTS += '{ assignment(id: "1") { contacts(contactsFilter: {messageStatus: $m}) { id } } }'
REFUSED_TO_SUPERADMINS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "amount 0": (BAD, ADD, {"t": "1", "n": 0}),
    "amount -1": (BAD, ADD, {"t": "1", "n": -1}),
    "amount beyond the maximum": (BAD, ADD, {"t": "1", "n": 1_000_001}),
    "largest amount of 32 bits": (BAD, ADD, {"t": "1", "n": 2**31 - 1}),
    "amount beyond 32 bits": (BAD, ADD, {"t": "1", "n": 2**31}),
    "broken amount": (BAD, ADD, {"t": "1", "n": 1.5}),
    "amount in quotes": (BAD, ADD, {"t": "1", "n": "5"}),
    "no amount": (BAD, ADD, {"t": "1", "n": None}),
    "empty key": (BAD, ADD, {"t": "1", "n": 5, "k": ""}),
    "blank key": (BAD, ADD, {"t": "1", "n": 5, "k": " \t"}),
    "long key": (BAD, ADD, {"t": "1", "n": 5, "k": "k" * 201}),
    "key with NUL": (BAD, ADD, {"t": "1", "n": 5, "k": "k\0"}),
    "long note": (BAD, ADD_NOTED, {"n": "n" * 1001}),
    "note with NUL": (BAD, ADD_NOTED, {"n": "n\0"}),
    "credits for an unknown team": ("NOT_FOUND", ADD, {"t": "987654", "n": 5}),
    "switch of an unknown team": (
        "NOT_FOUND", "mutation { setCreditsEnabled(teamId: 987654, enabled: true) { id } }", {},
    ),
    "unknown purchase": ("NOT_FOUND", "mutation { removeCreditPurchase(id: 987654) { id } }", {}),
    "unknown campaign": ("NOT_FOUND", '{ campaign(id: "987654") { id } }', {}),
    "unknown assignment": ("NOT_FOUND", '{ assignment(id: "987654") { id } }', {}),
    "unknown contact": ("NOT_FOUND", '{ contact(id: "987654") { id } }', {}),
    "search with NUL": (BAD, SEARCH, {"s": "a\0"}),
    "long search": (BAD, SEARCH, {"s": "a" * 201}),
    "cursor that isn't base64": (BAD, MEMBERSHIPS, {"a": "?"}),
    "cursor that isn't a number": (BAD, MEMBERSHIPS, {"a": "YWJj"}),
    "status of contacts that isn't one": (BAD, CONTACTS, {"m": "sent"}),
}  # fmt: skip


async def test_superadmins_are_refused_what_makes_no_sense(
    api: Api, connection: Connection
) -> None:
    found = {}
    before = await contents(connection)
    for name, (_, document, variables) in REFUSED_TO_SUPERADMINS.items():
        answer = await api("superadmin", document, **variables)
        found[name] = (answer.status, answer.codes)
        assert await contents(connection) == before, name
    assert found == {name: (200, [code]) for name, (code, _, _) in REFUSED_TO_SUPERADMINS.items()}


async def test_a_purchase_is_removed_once(api: Api, connection: Connection) -> None:
    document = "mutation { removeCreditPurchase(id: 1) { removedByName } }"
    answer = (await api("superadmin", document)).ok
    assert answer == {"removeCreditPurchase": {"removedByName": "Sam Superadmin"}}
    before = await contents(connection)
    assert (await api("superadmin", document)).codes == ["PURCHASE_ALREADY_REMOVED"]
    assert await contents(connection) == before


async def test_idempotency_key_belongs_to_one_addition(api: Api, connection: Connection) -> None:
    first = (await api("superadmin", ADD, t="1", n=5, k="spring")).ok
    before = await contents(connection)
    assert (await api("superadmin", ADD, t="1", n=5, k="spring")).ok == first
    assert (await api("superadmin", ADD, t="1", n=6, k="spring")).codes == [BAD]
    assert (await api("superadmin", ADD, t="2", n=5, k="spring")).codes == [BAD]
    assert await contents(connection) == before


REFUSED_TEXTS: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "null": (BAD, {"text": None}, None),
    "empty": (BAD, {"text": ""}, None),
    "blank": (BAD, {"text": " \n\t"}, None),
    "NUL": (BAD, {"text": "Hi\0"}, None),
    "too long by far": (BAD, {"text": "x" * 20_001}, None),
    "too long": ("MESSAGE_TOO_LONG", {"text": "x" * 1601}, None),
    "too long in UTF-16": ("MESSAGE_TOO_LONG", {"text": "\U0001f600" * 801}, None),
    "to another number": (BAD, {"text": "Hi", "contactNumber": "+12025550199"}, None),
    "long version hash": (BAD, {"text": "Hi", "versionHash": "v" * 256}, None),
    "version hash with NUL": (BAD, {"text": "Hi", "versionHash": "v\0"}, None),
    "many variables": (BAD, {"text": "Hi", "campaignVariableIds": ["1"] * 201}, None),
    "empty key": (BAD, {"text": "Hi"}, ""),
    "long key": (BAD, {"text": "Hi"}, "k" * 201),
    "key with NUL": (BAD, {"text": "Hi"}, "k\0"),
    "no assignment": ("ASSIGNMENT_CHANGED", {"text": "Hi", "assignmentId": None}, None),
    "another assignment": ("ASSIGNMENT_CHANGED", {"text": "Hi", "assignmentId": "2"}, None),
}


async def test_texts_that_can_not_be_sent(api: Api, connection: Connection) -> None:
    found = {}
    before = await contents(connection)
    for name, (_, message, key) in REFUSED_TEXTS.items():
        answer = await api("texter", SEND, id="1", m={"assignmentId": "1", **message}, k=key)
        found[name] = (answer.status, answer.codes)
        assert await contents(connection) == before, name
    assert found == {name: (200, [code]) for name, (code, _, _) in REFUSED_TEXTS.items()}


async def test_lone_surrogates_are_refused_on_every_way_in(
    api: Api, connection: Connection
) -> None:
    before = await contents(connection)
    cookies = "; ".join(f"{k}={v}" for k, v in (await api.sign_in("texter@example.org")).items())
    variables = {"id": "1", "m": {"text": "\ud800", "assignmentId": "1"}}
    as_variable = json.dumps({"query": SEND, "variables": variables})
    assert r'"\ud800"' in as_variable
    document = f'{{ sendMessage(campaignContactId: "1", message: {{{MESSAGE}: "1"}}) {{ id }} }}'
    in_document = json.dumps({"query": "mutation " + document.replace("Hi", r"\ud800")})
    for body, status, code in ((as_variable, 400, "BAD_REQUEST"), (in_document, 200, PARSE)):
        response = await api.client.post(
            "/graphql", content=body, headers={**JSON, "cookie": cookies}
        )
        assert (response.status_code, coded(response)) == (status, [code])
    assert await contents(connection) == before


async def test_a_refusal_leaves_the_answers_before_it(api: Api, connection: Connection) -> None:
    answer = await api(
        "superadmin",
        "mutation { first: addCredits(teamId: 1, amount: 7) { amount team { remainingCredits } } "
        "second: removeCreditPurchase(id: 987654) { id } "
        "third: addCredits(teamId: 1, amount: 1) { team { remainingCredits } } }",
    )
    assert answer.data == {
        "first": {"amount": 7, "team": {"remainingCredits": 32}},
        "second": None,
        "third": {"team": {"remainingCredits": 33}},
    }
    assert [(error["path"], error["extensions"]["code"]) for error in answer.errors] == [
        (["second"], "NOT_FOUND")
    ]
    cursor = await connection.execute("select balance from credit_account where team_id = 1")
    assert await cursor.fetchone() == (33,)


@pytest.mark.parametrize(
    ("person", "document", "change"),
    [
        ("superadmin", TEAM_BY_ID, "credit_account rename column balance to secret_column"),
        ("texter", SEND, "message rename column num_media to secret_column"),
    ],
)
async def test_an_unforeseen_error_is_masked(
    api: Api, connection: Connection, person: str, document: str, change: str
) -> None:
    await connection.execute(f"alter table {change}")
    before = await contents(connection)
    with capture_logs() as logs:
        answer = await api(person, document, id="1", m={"text": "Hi", "assignmentId": "1"})
    assert (answer.status, answer.codes) == (200, [INTERNAL])
    assert answer.errors[0]["message"].startswith("Something went wrong on our side.")
    assert set(answer.errors[0]) == {"message", "locations", "path", "extensions"}
    assert set(answer.data.values()) == {None}
    assert await contents(connection) == before
    [error] = [line for line in logs if line["log_level"] == "error"]
    assert "does not exist" in str(error["exc_info"])


async def test_a_database_that_is_gone_gives_a_coded_answer_until_it_is_back(
    api: Api, resources: Resources, demo_url: str, postgres: str
) -> None:
    document = "{ teams { pageInfo { total } } }"
    assert (await api("superadmin", document)).ok
    assert (await api("texter", "{ currentUser { id } }")).ok
    # Half a minute otherwise: the time that the pool spends on trying to connect.
    resources.database.pool.timeout = 0.5
    name = make_url(demo_url).database
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as server:
        await server.execute(f"alter database {name} allow_connections false")
        await server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        assert (await api("superadmin", document)).codes == ["SERVICE_UNAVAILABLE"]
        assert (await api.send("texter", 1)).codes == ["SERVICE_UNAVAILABLE"]
        login = {"email": "texter@example.org", "password": PASSWORD}
        assert (await api.client.post("/login-callback", json=login)).status_code == 503
        await server.execute(f"alter database {name} allow_connections true")
    # As long as servers wait: the pool tries again only after a pause that has grown meanwhile.
    resources.database.pool.timeout = ACQUIRE_SECONDS
    assert (await api("superadmin", document)).ok


@asynccontextmanager
async def locked(connection: Connection, statement: str) -> AsyncIterator[None]:
    """What the statement locks stays locked for others inside of this."""
    async with connection.transaction():
        await connection.execute(statement)
        yield


LOCK_ACCOUNT = "select from credit_account where team_id = 1 for update"
LOCK_ACCOUNTS = "lock table credit_account in access exclusive mode"
impatient = pytest.mark.parametrize("settings", [{"request_timeout_seconds": 0.3}], indirect=True)


@impatient
@pytest.mark.parametrize(
    "document",
    [
        "mutation { addCredits(teamId: 1, amount: 5) { id } }",
        "mutation { removeCreditPurchase(id: 1) { id } }",
        "mutation { setCreditsEnabled(teamId: 1, enabled: false) { id } }",
    ],
)
async def test_a_mutation_out_of_time_has_an_unknown_outcome(
    api: Api, connection: Connection, document: str
) -> None:
    before = await contents(connection)
    async with locked(connection, LOCK_ACCOUNT):
        answer = await api("superadmin", document)
    assert (answer.status, answer.codes, answer.data) == (200, ["OUTCOME_UNKNOWN"], None)
    assert "idempotency key" in answer.errors[0]["message"]
    # This one was rolled back, and the next is not in its way.
    assert await contents(connection) == before
    assert (await api("superadmin", document)).ok


@impatient
async def test_a_query_out_of_time(api: Api, connection: Connection) -> None:
    async with locked(connection, LOCK_ACCOUNTS):
        answer = await api("superadmin", "{ currentUser { id } team(id: 1) { id } }")
    assert (answer.status, answer.codes, answer.data) == (200, ["TIMEOUT"], None)
    assert (await api("superadmin", "{ team(id: 1) { id } }")).ok


@impatient
async def test_finding_out_who_asks_is_bounded_in_time_too(
    api: Api, connection: Connection
) -> None:
    document = "{ currentUser { id } }"
    assert (await api("superadmin", document)).ok
    async with locked(connection, "lock table user_session in access exclusive mode"):
        async with asyncio.timeout(3):
            answer = await api("superadmin", document)
    assert answer.codes == ["TIMEOUT"]


@impatient
async def test_a_send_out_of_time_is_found_done_by_its_key(
    api: Api, connection: Connection, resources: Resources
) -> None:
    async with locked(connection, LOCK_ACCOUNT):
        answer = await api.send("texter", 1, "Is it sent?", key="only once")
    assert (answer.codes, answer.data) == (["OUTCOME_UNKNOWN"], None)
    await resources.writer.drain()
    again = (await api.send("texter", 1, "Is it sent?", key="only once")).ok
    assert [message["text"] for message in again["sendMessage"]["messages"]] == ["Is it sent?"]
    cursor = await connection.execute(
        "select count(*), sum(amount)::int from credit_entry where team_id = 1 and kind = 'SEND'"
    )
    assert await cursor.fetchone() == (1, -1)


TOKEN = "spoke_a-token-that-no-log-may-show"
WRONG_PASSWORD = "a-wrong-password-that-no-log-may-show"
TEXT = "A text that no log may show"
OPERATION = "query Who { currentUser { id } }"


@dataclass
class Logged:
    """A server process of its own, and what it wrote on standard error."""

    url: str
    database_url: str
    client: httpx2.Client
    file: Path
    secrets: set[str] = field(default_factory=set)

    @property
    def text(self) -> str:
        return self.file.read_text()

    def lines(self, response: httpx2.Response) -> list[dict[str, Any]]:
        """The lines under the id of the request that got this response. It comes before the last
        of them, which is the one of the request."""
        request_id = response.headers["x-request-id"]
        deadline = time.monotonic() + 10
        while True:
            complete = self.text.rpartition("\n")[0].splitlines()
            found = [json.loads(line) for line in complete if request_id in line]
            if any(line["event"] == "request" for line in found):
                return found
            assert time.monotonic() < deadline, self.text
            time.sleep(0.01)

    def line(self, response: httpx2.Response) -> dict[str, Any]:
        [line] = [line for line in self.lines(response) if line["event"] == "request"]
        return line

    def sign_in(self, name: str) -> dict[str, str]:
        """Headers with the cookie of a new session."""
        response = self.client.post(
            "/login-callback", json={"email": f"{name}@example.org", "password": PASSWORD}
        )
        cookie = response.headers["set-cookie"].partition(";")[0]
        self.client.cookies.clear()
        value = cookie.partition("=")[2]
        self.secrets |= {value, *value.removeprefix(quote("s:", safe="")).split(".")}
        return {"cookie": cookie}

    def ask(
        self, headers: dict[str, str], query: str, operation: str | None = None, **variables: Any
    ) -> httpx2.Response:
        payload = {"query": query, "variables": variables, "operationName": operation}
        return self.client.post("/graphql", json=payload, headers=headers)


@pytest.fixture(scope="module")
def logged(
    make_database: MakeDatabase, demo_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Logged]:
    """A server whose standard error is kept."""
    folder = tmp_path_factory.mktemp("logged")
    with make_database(demo_template) as url:
        with psycopg.connect(url) as connection:
            connection.execute(
                "insert into api_token (user_id, name, token_hash) values (1, 'test', %s)",
                [hashlib.sha256(TOKEN.encode()).digest()],
            )
        file = folder / "stderr"
        with served(
            errors=file,
            DATABASE_URL=url,
            SESSION_SECRET=SECRET,
            SPOKE_DATA_DIR=str(folder),
            LOG_LEVEL="INFO",
        ) as running:
            password = make_url(url).password
            assert password
            yield Logged(
                f"http://127.0.0.1:{running.port}", url, running.client, file, {SECRET, password}
            )


def test_each_request_has_one_line(logged: Logged) -> None:
    cookie = logged.sign_in("texter")
    asked = logged.ask(cookie, OPERATION, "Who")
    line = logged.line(asked)
    assert line["operation"] == "Who"
    assert line["user_id"] == 5
    assert 0 < line["milliseconds"] < 10_000
    assert (line["method"], line["path"], line["status"]) == ("POST", "/graphql", 200)
    assert "codes" not in line
    refused = logged.ask(cookie, "{ teams { teams { id } } team(id: 987654) { id } }")
    line = logged.line(refused)
    assert line["codes"] == ["FORBIDDEN", "FORBIDDEN"]
    assert refused.headers["x-request-id"] != asked.headers["x-request-id"]
    assert logged.line(logged.ask({}, OPERATION))["user_id"] is None
    assert logged.line(logged.ask({"authorization": f"Bearer {TOKEN}"}, OPERATION))["user_id"] == 1
    assert logged.line(logged.ask({}, "{"))["codes"] == [PARSE]
    assert logged.line(logged.client.get("/healthz"))["path"] == "/healthz"
    assert logged.line(logged.client.get("/graphql"))["status"] == 405
    assert logged.line(logged.client.post("/graphql", content=b"{}"))["status"] == 415


def test_refusals_are_no_alarm(logged: Logged) -> None:
    cookie = logged.sign_in("texter")
    for query in ("{", "{ x }", "{ teams { teams { id } } }", "{ team(id: 0) { id } }"):
        assert len(logged.lines(logged.ask(cookie, query))) == 1


def test_an_unforeseen_error_is_logged_with_its_trace_under_the_request_id(
    logged: Logged,
) -> None:
    cookie = logged.sign_in("superadmin")
    with changed_table(
        logged,
        "credit_switch rename column remaining to gone",
        "credit_switch rename column gone to remaining",
    ):
        response = logged.ask(
            cookie, "mutation { setCreditsEnabled(teamId: 1, enabled: false) { id } }"
        )
    assert coded(response) == [INTERNAL]
    [trace] = [line for line in logged.lines(response) if "exception" in line]
    assert trace["level"] == "error"
    assert "Traceback" in trace["exception"]
    assert "services/credits.py" in trace["exception"]
    assert 'column "remaining"' in trace["exception"]
    assert logged.line(response)["codes"] == [INTERNAL]


@contextmanager
def changed_table(logged: Logged, change: str, back: str) -> Iterator[None]:
    with psycopg.connect(logged.database_url, autocommit=True) as connection:
        connection.execute(f"alter table {change}")
        try:
            yield
        finally:
            connection.execute(f"alter table {back}")


def test_an_error_outside_of_the_fields_has_a_request_id_and_a_trace_too(logged: Logged) -> None:
    cookie = logged.sign_in("superadmin")
    with changed_table(
        logged, "user_session rename column sess to gone", "user_session rename column gone to sess"
    ):
        response = logged.ask(cookie, OPERATION)
    assert (response.status_code, coded(response)) == (500, [INTERNAL])
    assert "gone" not in response.text and "sess" not in response.text
    assert [line for line in logged.lines(response) if "Traceback" in line.get("exception", "")]


def test_no_log_shows_a_text_or_a_secret(logged: Logged) -> None:
    """Whatever happens: the last ones fail inside of the database, which knows the text."""
    cookie = logged.sign_in("texter")
    bearer = {"authorization": f"Bearer {TOKEN}"}
    message = {"text": TEXT, "assignmentId": "1"}
    wrong = {"email": "texter@example.org", "password": WRONG_PASSWORD}
    assert logged.client.post("/login-callback", json=wrong).status_code == 400
    assert logged.client.post("/login-callback", data=wrong).status_code == 400
    assert logged.client.get(f"/healthz?token={TOKEN}").status_code == 200
    assert logged.ask(bearer, f'{{ team(id: "{TEXT}") {{ id }} }}').status_code == 200
    for broken in (f'{{ "{TEXT}', f'{{ x(text: "{TEXT}") }}'):
        assert logged.ask(bearer, broken).status_code == 200
    assert logged.ask(cookie, SEND, id="1", m=message).json()["data"]["sendMessage"]
    assert coded(logged.ask(cookie, SEND, id="1", m=message | {"assignmentId": "2"})) == [
        "ASSIGNMENT_CHANGED"
    ]
    with changed_table(
        logged,
        "message add constraint refused check (id < 0) not valid",
        "message drop constraint refused",
    ):
        assert coded(logged.ask(cookie, SEND, id="1", m=message)) == [INTERNAL]
    logged.lines(logged.client.get("/logout-callback", headers=cookie))
    secrets = {PASSWORD, WRONG_PASSWORD, TEXT, TOKEN, *logged.secrets}
    assert [secret for secret in secrets if secret in logged.text] == []
