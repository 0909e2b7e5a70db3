"""The keys of a home, from the command line: shown, replaced, and refused when wrong."""

import json
from pathlib import Path

import pytest

from gateway.local import LiveGateway
from tests.cli.gateways import Place, make_place

pytestmark = pytest.mark.timeout(180)

MAILER = """
import os
from fastmcp import FastMCP
mcp = FastMCP("mailer")
@mcp.tool
def tail() -> str:
    return os.environ["SMTP_PASSWORD"][-4:]
mcp.run()
"""
SECRET = "correct-horse-battery-staple"


def key_file(place: Place) -> Path:
    """Return where a place has its master key."""
    return place.folder / "home.key"


def tail(place: Place) -> object:
    """Return what the server says of its credential."""
    called = place.json("call", "invoke_internal_mcp_tool", '{"tool": "mailer:tail"}')
    return called["result"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A home that holds a credential in use; no gateway runs."""
    place = make_place(tmp_path_factory.mktemp("keys"))
    with place.gateway(SANDBOX="off") as live:
        made = {"name": "mailer", "code": MAILER}
        place.json("call", "create_mcp_server", "-", given=json.dumps(made))
        wanted = {"server": "mailer", "key": "SMTP_PASSWORD", "value": SECRET}
        place.json("call", "set_server_credential", "-", given=json.dumps(wanted))
        assert tail(place) == "aple"
        _rotate_both(place)
        _check_closed(place, live)
    return place


def _rotate_both(place: Place) -> None:
    """Issue 6, 7: while the gateway runs; its server goes on, and so does a new child."""
    before = key_file(place).read_text("ascii").strip()
    done = place.run("key", "rotate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 values sealed anew; the old data key is gone.\n")
    done = place.run("key", "rotate", "--master")
    assert (done.returncode, done.stderr) == (0, "")
    after = key_file(place).read_text("ascii").strip()
    assert before != after
    assert not {before, after} & set(done.stdout.split())
    place.json("call", "restart_mcp_server", '{"name": "mailer"}')
    assert tail(place) == "aple"


def _check_closed(place: Place, live: LiveGateway) -> None:
    """Issue 6, 7: nothing for others in the home, no core of the process."""
    limits = Path(f"/proc/{live.pid}/limits").read_text("ascii").splitlines()
    (core,) = (line.split() for line in limits if line.startswith("Max core file size"))
    assert core[4:6] == ["0", "0"]
    for path in (place.home, *place.home.iterdir()):
        # Servers of other users pass through folders on the way to their own.
        closed = 0o077 if path.is_file() else 0o066
        assert path.stat().st_mode & closed == 0, path


def test_a_start_with_a_wrong_key_says_so_and_the_right_one_serves_on(place: Place) -> None:
    """Issue 6, 7: exit status 2 and one sentence; then everything is as it was."""
    right = key_file(place).read_bytes()
    key_file(place).write_bytes(b"00" * 32)
    done = place.run("serve")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"claude-runner: The master key file {key_file(place)} does not open this database's "
        "secrets; put back the key that was made with it. Nothing was changed."
    )
    key_file(place).write_bytes(right)
    with place.gateway(SANDBOX="off"):
        assert tail(place) == "aple"


def test_keys_are_shown_and_replaced_without_a_gateway(place: Place) -> None:
    """Issue 6, 7: id, age and place; never a key."""
    key = key_file(place).read_text("ascii").strip()
    shown = place.run("key", "show")
    assert (shown.returncode, shown.stderr) == (0, "")
    first, second, third = shown.stdout.splitlines()
    assert first == f"master key  in the master key file {key_file(place)}"
    assert second.startswith("data key    key_")
    assert second.endswith("0 days ago")
    assert third == "seals       2 values"
    assert key not in shown.stdout
    assert place.run("key", "rotate").returncode == 0
    assert place.run("key", "rotate", "--master").returncode == 0
    assert key_file(place).read_text("ascii").strip() != key
    assert place.run("key", "show").stdout.splitlines()[2] == third


def test_a_master_key_of_the_environment_is_not_replaced(place: Place) -> None:
    """Ours: one sentence, which says how it is done."""
    env = {"MASTER_KEY": key_file(place).read_text("ascii").strip()}
    shown = place.run("key", "show", env={**env, "MASTER_KEY_FILE": str(place.folder / "none")})
    assert shown.stdout.splitlines()[0] == "master key  in the variable MASTER_KEY"
    refused = place.run("key", "rotate", "--master", env=env)
    assert refused.returncode == 1
    assert refused.stderr.startswith("claude-runner: The master key is in ")
