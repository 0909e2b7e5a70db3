"""A whole server, one without `run()`, or decorated functions alone: the runner knows them."""

import json
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from sandboxes.policy import Level
from sandboxes.python_server import NO_SERVER, needs_mcp
from tests.sandboxes.conftest import GUARD_S, Room, build_room

STAND_IN = """
class FastMCP:
    # As the library's own class, without the seconds that importing it takes.
    __module__ = "fastmcp.server"
    def __init__(self, name):
        self.name = name
    def run(self):
        print("served", self.name)
        sys.stdin.read()
import sys
"""
FUNCTIONS = """
@mcp.tool
def add(a: int, b: int) -> int:
    return a + b
"""


@pytest.fixture
def plain(tmp_path: Path) -> Room:
    """A room without a sandbox: what is left to the runner is the same at every level."""
    return build_room(Level.OFF, tmp_path)


def test_an_object_that_nobody_ran_is_run_at_every_level(room: Room) -> None:
    """Issue 4: a FastMCP object without `run()` is a server."""
    assert room.output(f"{STAND_IN}\nmcp = FastMCP('mine')") == "served mine\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("mcp = FastMCP('a')\nif __name__ == '__main__':\n    mcp.run()", "served a\n"),
        ("mcp = FastMCP('a')\ndef main():\n    mcp.run()\nmain()", "served a\n"),
        ("mcp = FastMCP('a')\ndef main():\n    mcp.run()", "served a\n"),
        ("made = FastMCP('a')\nother = made", "served a\n"),
        ("inner = FastMCP('a')\nmcp = FastMCP('b')", "served b\n"),
        ("inner = FastMCP('a')\napp = FastMCP('b')\nserver = FastMCP('c')", "served c\n"),
        ("FastMCP('a').run()", "served a\n"),
        ("FastMCP('a')", ""),
        ("import subprocess\nsubprocess.run(['true'])\nmcp = FastMCP('a')", "served a\n"),
    ],
)
def test_each_server_is_run_once_and_the_one_that_is_meant(
    plain: Room, code: str, expected: str
) -> None:
    """Ours: who has served until the end of the input is not run again, however it was started."""
    done = serve(plain, f"{STAND_IN}\n{code}", "{}\n")
    told = "" if expected else f"{NO_SERVER}\n"
    assert (done.stdout, done.stderr, done.returncode) == (expected, told, 0)


def test_a_server_that_is_stopped_before_its_end_is_not_begun(plain: Room) -> None:
    """Ours: the input is closed already and nothing waits in it."""
    assert serve(plain, f"{STAND_IN}\nmcp = FastMCP('a')", "").stdout == ""


def test_two_servers_of_which_none_is_meant_are_told(plain: Room) -> None:
    """Ours: no guess."""
    done = plain.run(f"{STAND_IN}\none = FastMCP('a')\ntwo = FastMCP('b')")
    assert done.returncode == 1
    assert done.stderr == (
        "server.py makes 2 servers (one, two) and runs none; call the one that is meant mcp.\n"
    )


def test_decorated_functions_alone_are_a_server(plain: Room) -> None:
    """Issue 4: then `mcp` is provided, and named like the folder."""
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    done = serve(plain, FUNCTIONS, f"{json.dumps(request)}\n")
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "code"


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        (FUNCTIONS, True),
        ("def register():\n    @mcp.tool\n    def add(): ...\nregister()", True),
        (f"mcp = FastMCP('a')\n{FUNCTIONS}", False),
        (f"from helper import mcp\n{FUNCTIONS}", False),
        (f"import mcp.types\n{FUNCTIONS}", False),
        (f"with made() as mcp:\n    pass\n{FUNCTIONS}", False),
        (f"def make():\n    global mcp\n    mcp = 1\nmake()\n{FUNCTIONS}", False),
        ("def build(mcp):\n    mcp.tool(print)", False),
        ("app.tool(print)", False),
        ("text = 'mcp'", False),
    ],
)
def test_mcp_is_provided_to_code_that_uses_it_and_binds_it_nowhere(code: str, needed: bool) -> None:
    """Ours: the rule, decided without running the code."""
    assert needs_mcp(code) is needed
    assert needs_mcp(code.encode()) is needed


def test_a_traceback_begins_with_the_author_s_own_line(plain: Room) -> None:
    """Ours: line numbers as written, and no frame of the runner."""
    done = plain.run(dedent(FUNCTIONS).replace("return a + b", "return a +"))
    assert done.returncode == 1
    script = plain.code / "server.py"
    assert done.stderr.startswith(f'  File "{script}", line 4\n')
    done = plain.run("import json\n\njson.loads('x')\n")
    assert done.stderr.startswith(
        f'Traceback (most recent call last):\n  File "{script}", line 3, in <module>\n'
    )
    assert "python_server" not in done.stderr


def serve(room: Room, code: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is sent this text and then stopped."""
    ready = room.prepare(room.command(code))
    return subprocess.run(
        ready.argv,
        env={**ready.env, "FASTMCP_CHECK_FOR_UPDATES": "off"},
        cwd=ready.cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        start_new_session=True,
        check=False,
    )
