"""The rules of the house that a program can check, so that nobody has to remember them."""

import ast
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LAYERS = ("schema", "resolvers", "services", "models", "server")
FILES = sorted(path for layer in LAYERS for path in (REPOSITORY / layer).rglob("*.py"))
TREES = {path.relative_to(REPOSITORY): ast.parse(path.read_text()) for path in FILES}
LONGEST_FUNCTION = 65

# What resolvers stand on. It is no translation itself: loaders batch, ids parse, and the context
# begins and ends the transactions.
INFRASTRUCTURE = {"__init__", "context", "ids", "loaders"}
RESOLVERS = [
    path for path in TREES if path.parts[0] == "resolvers" and path.stem not in INFRASTRUCTURE
]
# Shapes that several nouns share, with nothing to resolve.
TYPES_WITHOUT_RESOLVERS = {"pages"}
# The group commit of sends: a collaborator that is handed to the service which sends. Handling a
# conversation, whose opt-out must stand where the rest is rolled back. And reports, which try a
# statement again where two of them raced for one text of the provider.
BEGINS_TRANSACTIONS = {
    Path("services/delivery_reports.py"),
    Path("services/handling.py"),
    Path("services/send_writer.py"),
}

DECISIONS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Match, ast.Try, ast.TryStar)
SQL = re.compile(
    r"\b(select\b.+\bfrom|insert into|update\b.+\bset|delete from|where)\b",
    re.IGNORECASE | re.DOTALL,
)
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# Put together here, or this file would break its own rule.
REGISTRIES = tuple(
    "".join(parts) for parts in (("pypi", ".org"), ("npm", "js"), ("python", "hosted"))
)


def at(path: Path, node: ast.AST) -> str:
    return f"{path}:{getattr(node, 'lineno', 1)}"


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(TREES[path])


def imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def is_prose(node: ast.AST) -> bool:
    """Docstrings and descriptions, which may talk of anything."""
    return isinstance(node, ast.Expr) or (
        isinstance(node, ast.keyword) and node.arg == "description"
    )


def strings(path: Path) -> Iterator[ast.Constant]:
    prose = {id(child) for node in nodes(path) if is_prose(node) for child in ast.walk(node)}
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call, with the last part of the name of what is called."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute):
                yield called.attr, node
            elif isinstance(called, ast.Name):
                yield called.id, node


def test_there_is_something_to_check() -> None:
    assert {path.parts[0] for path in TREES} == set(LAYERS)
    assert len(TREES) > 60
    assert len(RESOLVERS) >= 7


def test_imports_go_downwards() -> None:
    """The contracts are in pyproject.toml."""
    command = [f"{sysconfig.get_path('scripts')}/lint-imports", "--no-cache"]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout
    assert re.search(r"\b0 broken", found.stdout)


@pytest.mark.parametrize("path", RESOLVERS, ids=str)
def test_resolvers_decide_nothing(path: Path) -> None:
    """They unpack, open a transaction, call one service and return. `a if b else c` is no more
    than unpacking."""
    assert [at(path, node) for node in nodes(path) if isinstance(node, DECISIONS)] == []


@pytest.mark.parametrize("path", RESOLVERS, ids=str)
def test_resolvers_know_no_sql(path: Path) -> None:
    assert [name for name in imported(path) if name.startswith(("sqlalchemy", "psycopg"))] == []
    assert [at(path, node) for node in strings(path) if SQL.search(str(node.value))] == []


def test_services_begin_and_end_no_transactions() -> None:
    """That is for who calls them: two services may be one unit of work."""
    ending = {"commit", "rollback", "begin", "begin_nested", "transaction"}
    found = {
        at(path, call): path
        for path in TREES
        if path.parts[0] == "services"
        for name, call in calls(path)
        if name in ending
    }
    assert [place for place, path in found.items() if path not in BEGINS_TRANSACTIONS] == []
    assert set(found.values()) == BEGINS_TRANSACTIONS


def test_every_error_has_a_code_and_a_sentence() -> None:
    """Its own, or those of the error that it is a kind of."""
    tree = TREES[Path("services/errors.py")]
    has: dict[str, set[str]] = {"ServiceError": set()}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name not in has:
            [base] = [base.id for base in node.bases if isinstance(base, ast.Name)]
            own = {
                target.id
                for statement in node.body
                if isinstance(statement, ast.Assign)
                for target in statement.targets
                if isinstance(target, ast.Name)
            }
            has[node.name] = has[base] | own
    assert len(has) > 10
    lacking = {name for name, found in has.items() if not {"code", "sentence"} <= found}
    assert lacking == {"ServiceError"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_are_short() -> None:
    lengths = {
        at(path, function): (function.end_lineno or 0) - function.lineno + 1
        for path in TREES
        for function in functions(path)
    }
    too_long = {place: length for place, length in lengths.items() if length > LONGEST_FUNCTION}
    assert too_long == {}


def test_every_file_says_what_it_is_about() -> None:
    mute = [
        str(path)
        for path, tree in TREES.items()
        if not ast.get_docstring(tree) and (tree.body or path.name != "__init__.py")
    ]
    assert mute == []


def test_nothing_is_left_to_do() -> None:
    places = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if MARKERS.search(line)
    ]
    assert places == []


def test_nothing_is_printed_but_by_commands() -> None:
    """Everything else is logged, in one format."""
    printing = {str(path) for path in TREES for name, _ in calls(path) if name == "print"}
    assert printing <= {"server/cli.py", "server/serve.py", "server/node.py"}


def test_the_same_noun_names_the_file_in_every_layer() -> None:
    resolvers = {path.stem for path in RESOLVERS}
    types = {path.stem for path in TREES if path.parent == Path("schema/types")} - {"__init__"}
    assert types - TYPES_WITHOUT_RESOLVERS == resolvers
    services = {path.stem for path in TREES if path.parts[0] == "services"}
    assert resolvers <= services


def test_no_source_names_a_package_registry() -> None:
    """Where packages come from is up to who installs."""
    naming = [
        f"{path.relative_to(REPOSITORY)}: {registry}"
        for path in [*FILES, *(REPOSITORY / "tests").rglob("*.py"), REPOSITORY / "pyproject.toml"]
        for registry in REGISTRIES
        if registry in path.read_text()
    ]
    assert naming == []


def test_what_the_console_knows_is_apart_from_how_it_looks() -> None:
    """So that Spoke's client can take it."""
    hooks = REPOSITORY / "web" / "src" / "hooks"
    taken = {
        source
        for path in hooks.glob("*.ts")
        for source in re.findall(r'from "([^"]+)"', path.read_text())
        if not source.startswith("./")
    }
    assert taken == {
        "react",
        "@apollo/client",
        "@apollo/client/react",
        "graphql-ws",
        "../graphql/generated",
    }
    assert not list(hooks.glob("*.tsx"))
