"""Runs in a server's process before there is a server: `python -I waiting.py /path/server.py`.

For servers with packages of their own, which may run code as soon as an interpreter starts: the
process is confined like the server from its first instruction on and serves no other. It has no
code, no variables and no arguments of the server. What it reads from standard input, each part
after its length: the rehearsal, then, when the server is to start, its environment.
"""

import json
import os
import struct
import sys
import time
from importlib import util
from pathlib import Path
from types import ModuleType

RUNNER = Path(__file__).resolve().parents[1] / "python_server.py"
LENGTH = struct.Struct(">I")
READY = b"\0ready\0"
"""Written to standard output between the two parts."""
STDIN, STDOUT = 0, 1


def main() -> None:
    """Rehearse, wait, become the server."""
    runner = load_runner()
    rehearse(read_part())
    os.write(STDOUT, READY)
    environment = read_part()
    if not environment:
        return
    os.environ.clear()
    os.environ.update(json.loads(environment))
    # As the launcher leaves it.
    os.environ["PWD"] = str(Path.cwd())
    time.tzset()
    runner.run(Path(sys.argv[1]))


def load_runner() -> ModuleType:
    """Return what runs a server; it leaves no trace in the server's list of modules."""
    spec = util.spec_from_file_location("python_server", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rehearse(text: bytes) -> None:
    """Import and use what servers do; what these packages lack or do otherwise is left out."""
    try:
        exec(compile(text, "rehearsal", "exec"), {"__name__": "rehearsal"})  # noqa: S102 - our own text
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever these packages raise
        os.write(2, f"nothing was rehearsed: {type(error).__name__}: {error}\n".encode())


def read_part() -> bytes:
    """Return the next part of the input, nothing at its end."""
    length = read_exactly(LENGTH.size)
    return read_exactly(LENGTH.unpack(length)[0]) if length else b""


def read_exactly(count: int) -> bytes:
    """Return so many bytes; nothing when the input ends before."""
    text = b""
    while len(text) < count:
        more = os.read(STDIN, count - len(text))
        if not more:
            return b""
        text += more
    return text


if __name__ == "__main__":
    main()
