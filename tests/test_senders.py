"""Every place that can write an outbound text, and what guards it.

A place that is not listed here fails the test, whether it is guarded or not: somebody has to look
at it, and to say why no text goes out without its credits. What Spoke's own processes write is
none of this.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from graphql import GraphQLInputObjectType, GraphQLNamedInputType, get_named_type

from schema.build import schema
from services import inbound_texts
from tests.api import Api

REPOSITORY = Path(__file__).parents[1]
LAYERS = ("schema", "resolvers", "services", "models", "server")
SOURCES = {
    str(path.relative_to(REPOSITORY)): path.read_text()
    for layer in LAYERS
    for path in sorted((REPOSITORY / layer).rglob("*"))
    if path.suffix in (".py", ".sql")
}

INSERTS = "inserts by SQL"
INSERTS_ANYWHERE = "inserts by SQL into a table that is named at run time"
TURNS = "makes outbound texts of inbound ones by SQL"
MAPS = "uses the mapped class or table"
WRITES = "writes sends"
MAKES = "makes a send"
FORCES = "forces a send"

GUARDED = {
    ("services/send_statement.py", "_WITH_OR_WITHOUT_STICK", INSERTS): "The guard: accounts are "
    "locked, what a balance doesn't cover is refused, and each text has its entry.",
    ("services/inbound_texts.py", "_REPLY", INSERTS): "Inbound, as proved below.",
    ("server/demo.py", "_make_history", MAPS): "Demo data of the past, delivered by somebody else, "
    "of which nothing is queued.",
    ("services/send_writer.py", "SendWriter._written.write", WRITES): "What `write` was given.",
    ("services/send_writer.py", "write_alone", WRITES): "What its caller made.",
    ("services/send_writer.py", "_write_with_assignment", WRITES): "The same, with an assignment.",
    (
        "services/handling.py",
        "_write",
        WRITES,
    ): "What `permitted` or `permitted_confirmation` made.",
    ("server/demo.py", "_send", WRITES): "Demo data, by the statement like everybody.",
    ("services/sending.py", "_send", MAKES): "Costs what `cost_of` counts for the very text.",
    ("server/demo.py", "_send", MAKES): "The same.",
    ("services/sending.py", "permitted_confirmation", FORCES): "An opt-out's confirmation: never "
    "refused for lack of credits, but debited.",
}
"""By file, function or name, and way."""

SENDING_FIELDS = {
    "sendMessage": 'message: {text: "Hi!", assignmentId: "1"}',
    "handleConversation": 'message: {text: "Hi!", assignmentId: "1"}, closeConversation: true',
    "createOptOut": 'optOut: {cell: "+12022010002", message: {text: "Bye.", assignmentId: "1"}}',
    "tagConversation": 'tag: {addedTagIds: ["1"], removedTagIds: [], message: {text: "Hi!"}}',
}
"""Root fields that take a text to send, with arguments for a contact's. bulkSendMessages takes
none, and is always refused."""

TABLE = r"""(only\s+)?("?public"?\s*\.\s*)?("message"|message\b)"""
BY_SQL = {
    INSERTS: re.compile(rf"\b(insert\s+into|merge\s+into|copy)\s+{TABLE}", re.IGNORECASE),
    INSERTS_ANYWHERE: re.compile(
        r"\b(insert\s+into|merge\s+into|execute\s+format\(\s*'insert\s+into)\s*"
        r"""("?public"?\s*\.\s*)?("?[{%]|$)""",
        re.IGNORECASE,
    ),
    TURNS: re.compile(
        rf"\bupdate\s+{TABLE}.*?\bset\b.*?\bis_from_contact\s*=", re.IGNORECASE | re.DOTALL
    ),
}
BY_CALL = {"write_sends": WRITES, "write_alone": WRITES, "Send": MAKES}

Place = tuple[str, str]
"""Function or name, and way."""


def places(source: str, path: str = "services/some.py") -> set[Place]:
    if path.endswith(".sql"):
        return {("", way) for way in _ways_of_sql(source)}
    tree = ast.parse(source)
    return set(_places(tree, _Names(tree, path), "", set(_docstrings(tree))))


class _Names:
    """What the file calls the mapped class, and who else can lead to it."""

    def __init__(self, tree: ast.AST, path: str) -> None:
        self.mapped = {"Message"} if path == "models/messages.py" else set()
        self.modules: set[str] = set()
        self.starlette: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for name in node.names:
                    local = name.asname or name.name
                    if node.module == "models.messages" and name.name in ("Message", "*"):
                        self.mapped.add(local)
                    if node.module == "models" and name.name in ("messages", "*"):
                        self.modules.add(local)
                    if node.module == "starlette.types":
                        self.starlette.add(local)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    if name.name.partition(".")[0] == "models":
                        self.modules.add((name.asname or name.name).partition(".")[0])

    def leads_to_it(self, node: ast.AST) -> bool:
        return ast.unparse(node).partition(".")[0] in self.modules


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Strings that do nothing, and may talk of anything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _places(node: ast.AST, names: _Names, inside: str, prose: set[ast.Constant]) -> Iterator[Place]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        inside = f"{inside}.{node.name}".lstrip(".")
    elif isinstance(node, ast.Assign) and not inside and isinstance(node.targets[0], ast.Name):
        inside = node.targets[0].id
    if node not in prose:
        yield from ((inside, way) for way in _ways(node, names))
        for child in ast.iter_child_nodes(node):
            yield from _places(child, names, inside, prose)


def _ways(node: ast.AST, names: _Names) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield from _ways_of_sql(text)
        case ast.JoinedStr(values=parts):
            written = (p.value if isinstance(p, ast.Constant) else "{" for p in parts)
            yield from _ways_of_sql("".join(map(str, written)))
        case ast.Name(id=name, ctx=ast.Load()) if name in names.mapped:
            yield MAPS
        case ast.Attribute(attr="Message", value=value) if names.leads_to_it(value):
            yield MAPS
        case ast.ImportFrom(module="models.messages", names=[ast.alias(name="*")]):
            yield MAPS
        case ast.Subscript(value=ast.Attribute(attr="tables"), slice=ast.Constant("message")):
            yield MAPS
        case ast.Call():
            yield from _ways_of_call(node, names)


def _ways_of_call(call: ast.Call, names: _Names) -> Iterator[str]:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name in BY_CALL and name not in names.starlette:
        yield BY_CALL[name]
    if any(keyword.arg == "forced" for keyword in call.keywords):
        yield FORCES
    match call.args:
        case [ast.Constant("message"), *_] if name in ("Table", "table", "copy_from"):
            yield MAPS


def _ways_of_sql(text: str) -> Iterator[str]:
    for way, pattern in BY_SQL.items():
        if pattern.search(text):
            yield way


def test_every_place_that_writes_texts_is_guarded() -> None:
    found = {(path, *place) for path, source in SOURCES.items() for place in places(source, path)}
    assert found == GUARDED.keys()


@pytest.mark.parametrize(
    ("source", "way"),
    [
        ("connection.execute('insert into message (text) values (1)')", INSERTS),
        ("S = 'with a as (INSERT\\n  INTO public.\"message\" select 1) select 2'", INSERTS),
        ("op.execute('create function f() as $$ insert into only message $$')", INSERTS),
        ("cursor.copy('copy message (text) from stdin')", INSERTS),
        ("S = f'insert into message ({columns}) values (1)'", INSERTS),
        ("S = 'merge into message using x on true'", INSERTS),
        ("S = f'insert into {table} (text) values (1)'", INSERTS_ANYWHERE),
        ("S = 'insert into {table} (text)'.format(table=table)", INSERTS_ANYWHERE),
        ("S = 'insert into %s (text)' % table", INSERTS_ANYWHERE),
        ("S = 'insert into ' + table", INSERTS_ANYWHERE),
        ("S = 'update message m set text = 1, is_from_contact = false'", TURNS),
        ("from models.messages import Message\nsession.add(Message(text=text))", MAPS),
        ("from models.messages import Message as M\nsession.execute(insert(M))", MAPS),
        ("from models import messages\nsession.add(messages.Message(text=text))", MAPS),
        ("import models.messages as m\nsession.add(m.Message(text=text))", MAPS),
        ("import models.messages\nsession.add(models.messages.Message(text=text))", MAPS),
        ("from models.messages import *", MAPS),
        ("insert(Base.metadata.tables['message'])", MAPS),
        ("insert(table('message', column('text')))", MAPS),
        ("write_sends(connection, sends)", WRITES),
        ("send_writer.write_alone(connection, send, campaign_id=1)", WRITES),
        ("Send(team_id=1)", MAKES),
        ("replace(send, forced=True)", FORCES),
    ],
)
def test_a_new_place_would_be_found(source: str, way: str) -> None:
    """By itself, and at the end of a file that has none."""
    harmless = SOURCES["services/tags.py"]
    for text in (source, f"{harmless}\n\n{source}\n"):
        assert {found for _, found in places(text)} == {way}
    assert places(harmless) == set()


@pytest.mark.parametrize(
    "source",
    [
        "'''insert into message'''",
        "S = 'insert into message_part (a)'",
        "S = 'insert into unsolicited_message (a)'",
        "S = 'update message set text = 1 where is_from_contact'",
        "from models.messages import OutboundText\nsession.add(OutboundText())",
        "from services.messages import Message\nMessage(1)",
        "from starlette.types import Send\nSend()",
    ],
)
def test_others_are_not(source: str) -> None:
    assert places(source) == set()


def test_sql_in_files_of_its_own_would_be_found() -> None:
    assert places("insert into message (text) values ('Hi!')", "models/a.sql") == {("", INSERTS)}


def test_replies_are_inbound() -> None:
    statement = re.sub(r"%\(\w+\)s", "?", inbound_texts._REPLY)
    found = re.search(r"insert into message \(([^)]*)\)\s*values \(([^)]*)\)", statement)
    assert found
    columns, values = ([part.strip() for part in group.split(",")] for group in found.groups())
    assert dict(zip(columns, values, strict=True))["is_from_contact"] == "true"


def _takes_a_text(kind: GraphQLNamedInputType) -> bool:
    if not isinstance(kind, GraphQLInputObjectType):
        return False
    inner = (get_named_type(field.type) for field in kind.fields.values())
    return kind.name == "MessageInput" or any(map(_takes_a_text, inner))


def test_these_root_fields_send() -> None:
    root = schema._schema.mutation_type
    assert root is not None
    found = {
        name
        for name, field in root.fields.items()
        if any(_takes_a_text(get_named_type(argument.type)) for argument in field.args.values())
    }
    assert found == SENDING_FIELDS.keys()


async def test_what_they_send_has_its_debit(api: Api, demo_url: str) -> None:
    for contact, (name, arguments) in enumerate(SENDING_FIELDS.items(), start=1):
        call = f'{name}(campaignContactId: "{contact}", {arguments})'
        assert (await api("texter", f"mutation {{ {call} {{ id }} }}")).ok
    with psycopg.connect(demo_url) as connection:
        debits = connection.execute(
            "select campaign_contact_id, e.amount from message m"
            " left join credit_entry e on e.message_id = m.id and e.kind = 'SEND'"
            " where not is_from_contact and campaign_contact_id <= 4 order by 1"
        )
        assert debits.fetchall() == [(contact, -1) for contact in range(1, 5)]
