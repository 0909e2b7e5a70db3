"""Runs every attack as a gateway of a plain user would run them: `without_root.py LEVEL`.

Standard library only, for the system's Python. Targets come on standard input, outcomes go to
standard output, both as JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from sandboxes import environment, interpreter, launch, ownership, probe  # noqa: E402 - the line above
from sandboxes.policy import Level, Policy  # noqa: E402 - as above


def start(level: Level, home: Path, name: str) -> "subprocess.Popen[str]":
    """Start one server with the attacker's code."""
    folder = home / "servers" / name
    data, private = folder / "data", folder / "private"
    ownership.make_folders(data, private, None)
    python = Path(sys.executable)
    code = home / "code"
    policy = Policy(
        level, data, read_only=(code, *interpreter.folders(python)), read_write=(private,)
    )
    env = environment.child_environment(data_dir=data, private=private, declared={})
    command = interpreter.python_command(python, code / "server.py")
    ready = launch.prepare(command, env=env, cwd=data, policy=policy)
    return subprocess.Popen(
        ready.argv,
        env=dict(ready.env),
        cwd=ready.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ask(server: "subprocess.Popen[str]", tool: str, arguments: object) -> object:
    """Call a tool."""
    assert server.stdin and server.stdout
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    server.stdin.write(json.dumps(message) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    return json.loads(answer["result"]["content"][0]["text"])


def main() -> None:
    """Start a neighbour and an attacker, and print what each attack met."""
    level, targets = Level(sys.argv[1]), json.loads(sys.stdin.read())
    reason = probe.problem(level)
    if reason:
        raise SystemExit(f"unavailable: {reason}")
    home = Path(targets["home"])
    with start(level, home, "neighbour") as neighbour, start(level, home, "attacker") as attacker:
        assert ask(neighbour, "healthy", {}) == "well"
        for name in ("data", "private"):
            path = home / "servers" / "neighbour" / name / "kept"
            path.write_text(targets["secret"], encoding="utf-8")
            targets[f"neighbour_{name}"] = str(path)
        other = home / "neighbour.py"
        other.write_text(targets["secret"], encoding="utf-8")
        targets |= {
            "neighbour_code": str(other),
            "neighbour_pid": neighbour.pid,
            "gateway_pid": os.getpid(),
            "sandboxes": str(interpreter.SANDBOXES),
        }
        outcomes = {name: ask(attacker, name, targets) for name in targets.pop("names")}
        for server in (neighbour, attacker):
            assert server.stdin
            server.stdin.close()
    print(json.dumps(outcomes))


main()
