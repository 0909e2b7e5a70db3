"""Runs every attack as a gateway of a plain user would: `without_root.py LEVEL START`.

Standard library only, for the system's Python. Targets come on standard input, outcomes go to
standard output, both as JSON.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from sandboxes import environment, interpreter, launch, ownership, probe  # noqa: E402 - the line above
from sandboxes.policy import Level, Policy  # noqa: E402 - as above
from sandboxes.warm import parent as warm  # noqa: E402 - as above


@dataclass(frozen=True)
class Server:
    """A child with the attacker's code."""

    pid: int
    stdin: IO[str]
    stdout: IO[str]

    def ask(self, tool: str, arguments: object) -> object:
        """Call a tool."""
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        self.stdin.write(json.dumps(message) + "\n")
        self.stdin.flush()
        answer = json.loads(self.stdout.readline())
        return json.loads(answer["result"]["content"][0]["text"])


def prepare(level: Level, home: Path, name: str) -> launch.Launch:
    """Return how one server is started."""
    folder = home / "servers" / name
    data, private = folder / "data", folder / "private"
    ownership.make_folders(data, private, None)
    python, code = Path(sys.executable), home / "code" / "attacker"
    policy = Policy(
        level, data, read_only=(code, *interpreter.folders(python)), read_write=(private,)
    )
    env = environment.child_environment(data_dir=data, private=private, declared={})
    command = interpreter.python_command(python, code / "server.py")
    return launch.prepare(command, env=env, cwd=data, policy=policy)


@contextmanager
def cold(ready: launch.Launch) -> Generator[Server]:
    """Start a program; it ends with its standard input."""
    with subprocess.Popen(
        ready.argv,
        env=dict(ready.env),
        cwd=ready.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout
        yield Server(process.pid, process.stdin, process.stdout)
        process.stdin.close()


@contextmanager
def warm_process(home: Path) -> Generator[warm.WarmProcess]:
    """Start a warm process without any package."""
    rehearsal = home / "rehearsal.py"
    rehearsal.write_text("", encoding="utf-8")
    python = Path(sys.executable)
    config = warm.WarmConfig(python, rehearsal, (home / "code",), home / "servers", {})
    process = warm.WarmProcess(config, on_forgotten=lambda: None)
    try:
        said = hear(process)
        assert isinstance(said, warm.WarmReady), said
        yield process
    finally:
        process.close()


@contextmanager
def forked(process: warm.WarmProcess, ready: launch.Launch) -> Generator[Server]:
    """Fork a child."""
    process.ask(ready)
    said = hear(process)
    assert isinstance(said, warm.Forked), said
    child = said.child
    select.select([child.exit_fd], [], [])
    assert child.confined(), os.read(child.stderr, 4096)
    with (
        os.fdopen(child.stdin, "w", encoding="utf-8") as stdin,
        os.fdopen(child.stdout, encoding="utf-8") as stdout,
    ):
        yield Server(child.pid, stdin, stdout)


def hear(process: warm.WarmProcess) -> object:
    """Wait until the warm process says something."""
    select.select([process], [], [])
    return process.hear()


def attack(neighbour: Server, attacker: Server, targets: dict[str, object]) -> object:
    """Give the neighbour something to lose, and return what each attack met."""
    home = Path(str(targets["home"]))
    assert neighbour.ask("healthy", {}) == "well"
    for name in ("data", "private"):
        path = home / "servers" / "neighbour" / name / "kept"
        path.write_text("kept", encoding="utf-8")
        targets[f"neighbour_{name}"] = str(path)
    other = home / "code" / "neighbour.py"
    other.write_text("kept", encoding="utf-8")
    targets |= {
        "neighbour_code": str(other),
        "neighbour_pid": neighbour.pid,
        "gateway_pid": os.getpid(),
        "sandboxes": str(interpreter.SANDBOXES),
    }
    names = targets.pop("names")
    assert isinstance(names, list)
    return {name: attacker.ask(str(name), targets) for name in names}


def main() -> None:
    """Start a neighbour and an attacker, and print what each attack met."""
    level, start = Level(sys.argv[1]), launch.StartKind(sys.argv[2])
    targets = json.loads(sys.stdin.read())
    reason = probe.problem(level)
    if reason:
        raise SystemExit(f"unavailable: {reason}")
    home = Path(targets["home"])
    two = [prepare(level, home, name) for name in ("neighbour", "attacker")]
    with ExitStack() as stack:
        if start is launch.StartKind.WARM:
            process = stack.enter_context(warm_process(home))
            pair = [stack.enter_context(forked(process, each)) for each in two]
        else:
            pair = [stack.enter_context(cold(each)) for each in two]
        outcomes = attack(pair[0], pair[1], targets)
    print(json.dumps(outcomes))


main()
