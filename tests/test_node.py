"""What npm makes: once, and again when what it is made of has changed."""

import subprocess
from pathlib import Path

import pytest

from server import node
from server.node import Package


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Nothing made yet."""
    monkeypatch.setattr(node, "ROOT", tmp_path)
    monkeypatch.setattr(node, "_npm", lambda: "true")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.ts").write_text("1")
    (tmp_path / "package-lock.json").write_text("{}")
    return Package(
        name="The toy",
        target="toy",
        doing="building the toy",
        folder=tmp_path,
        sources=["package-lock.json", "src"],
        commands=[("ci",), ("run", "build")],
        stamp=tmp_path / ".made",
    )


def test_makes_once(package: Package, capsys: pytest.CaptureFixture[str]) -> None:
    node.make(package)
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "building the toy ...",
        "  npm ci: done in 0 s",
        "  npm run build: done in 0 s",
    ]
    (package.folder / "src" / node.GENERATED).write_text("by the build")
    node.make(package)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("changed", ["package-lock.json", "src/main.ts", "src/new.ts"])
def test_makes_again_what_has_changed(
    package: Package, changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node.make(package)
    (package.folder / changed).write_text("2")
    capsys.readouterr()
    node.make(package)
    assert "building the toy" in capsys.readouterr().out


@pytest.mark.parametrize("npm", ["false", "/no/such/npm"])
def test_failing_is_a_sentence(
    package: Package, npm: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node.make(package)
    (package.folder / "src" / "main.ts").write_text("broken")
    monkeypatch.setattr(node, "_npm", lambda: npm)
    node.make(package)
    out = capsys.readouterr().out
    assert "The toy is missing, everything else works" in out
    assert "Try again with: make toy" in out
    assert package.made() is None


def test_the_reason_is_the_line_that_says_it(tmp_path: Path, package: Package) -> None:
    npm = tmp_path / "npm"
    npm.write_text(
        "#!/bin/sh\necho 'npm warn old' >&2\necho 'npm error code E404' >&2\n"
        "echo 'npm error 404 No such package.' >&2\nexit 1\n"
    )
    npm.chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        node._run(tmp_path, str(npm))
    assert node._reason(caught.value) == "npm error 404 No such package"


@pytest.mark.parametrize("package", [node.GRAPHIQL, node.CONSOLE], ids=["graphiql", "web"])
def test_lock_files_name_no_registry(package: Package) -> None:
    lock = (package.folder / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "registry" not in lock
