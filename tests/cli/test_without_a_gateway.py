"""Commands when no gateway runs: what they can do alone, and how they refuse."""

import json
import re
import sqlite3
import sys
from datetime import datetime, timedelta

import pytest

from gateway.cli.parser import build_parser
from gateway.local import GatewayLock
from gateway.version import read_version
from tests.cli.gateways import Place

SHOWN = "%Y-%m-%d %H:%M UTC"
HEAVY = ("mcp", "fastmcp", "quart", "hypercorn", "sqlalchemy", "claude_agent_sdk", "pydantic")


def test_version_is_that_of_the_checkout(place: Place) -> None:
    """Ours: one line on standard output."""
    done = place.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"claude-runner {read_version()}\n",
        "",
    )


@pytest.mark.parametrize("command", [("--version",), ("call", "list_jobs"), ("status",)])
def test_short_commands_import_nothing_heavy(place: Place, command: tuple[str, ...]) -> None:
    """Ours: a command must not cost seconds before it begins."""
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'x'\n"
        "from gateway.cli.__main__ import main\n"
        "main(sys.argv[1:])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = place.run_python("-c", script, *command)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command",
    [("call", "list_jobs"), ("status",), ("dashboard", "link"), ("dashboard", "sessions")],
    ids=" ".join,
)
def test_command_for_a_gateway_says_how_to_start_one(
    place: Place, command: tuple[str, ...]
) -> None:
    """Ours: exit status 3 and one sentence."""
    done = place.run(*command)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"claude-runner: No gateway runs with the home {place.home}; "
        "start one with: ./claude-runner serve\n"
    )


def test_token_is_made_in_the_store(place: Place) -> None:
    """Ours: the token alone on standard output, its hash alone in the store."""
    done = place.run("token", "create", "--name", "laptop", "--scope", "admin")
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    assert token.isprintable()
    assert len(token) > 40
    for file in place.home.glob("jobs.db*"):
        assert token.encode() not in file.read_bytes()
    listed = place.run("token", "list")
    assert "laptop" in listed.stdout
    assert token not in listed.stdout


def test_token_is_revoked_once(place: Place) -> None:
    """Ours: the second time there is nothing to end."""
    place.run("token", "create", "--name", "laptop", "--scope", "run")
    with sqlite3.connect(place.home / "jobs.db") as database:
        (token_id,) = database.execute("SELECT id FROM tokens").fetchone()
    database.close()
    first, second = (place.run("token", "revoke", token_id) for _ in range(2))
    assert (first.returncode, first.stdout) == (0, "")
    assert (second.returncode, second.stdout) == (1, "")
    assert token_id in second.stderr


def test_token_is_not_made_while_another_process_holds_the_home(place: Place) -> None:
    """Ours: two writers never meet in one store."""
    with GatewayLock(place.home):
        done = place.run("token", "create", "--name", "x", "--scope", "read")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is starting or ending" in done.stderr


def test_token_is_listed_with_its_end_and_refused_without_a_usable_one(place: Place) -> None:
    """Issue 6, What 4: expiry; a refused token is not made."""
    create = ("token", "create", "--scope", "read", "--name")
    assert place.run(*create, "guest", "--expires", "90d").returncode == 0
    done = place.run(*create, "wrong", "--expires", "90")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    (row,) = place.run("token", "list").stdout.splitlines()[1:]
    _, name, scopes, _, created, expires, last_used, revoked = re.split(r"  +", row.strip())
    assert (name, scopes, last_used, revoked) == ("guest", "read", "-", "-")
    between = datetime.strptime(expires, SHOWN) - datetime.strptime(created, SHOWN)  # noqa: DTZ007 - both end in UTC
    assert between == timedelta(days=90)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb"])
def test_token_without_a_usable_name_is_refused(place: Place, name: str) -> None:
    """Ours."""
    done = place.run("token", "create", "--name", name, "--scope", "admin")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", ["", "[1]", "{", '"x"', "nul"])
def test_arguments_that_are_no_object_are_refused(place: Place, arguments: str) -> None:
    """Ours: before anything is asked of a gateway."""
    done = place.run("call", "list_jobs", arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("serve",), ("status",), ("doctor",)])
def test_wrong_setting_is_one_sentence(place: Place, command: tuple[str, ...]) -> None:
    """Ours: the variable and what it accepts, exit status 2."""
    done = place.run(*command, env={"PORT": "http"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "claude-runner: PORT is 'http'; it accepts a whole number from 0 to 65535.\n"
    )


def test_settings_come_from_the_named_file(place: Place) -> None:
    """Ours: --env-file stands in for the checkout's .env."""
    file = place.folder / "other.env"
    file.write_text("DEFAULT_TIMEZONE=Mars/Base\n", "utf-8")
    done = place.run("status", "--env-file", str(file))
    assert done.returncode == 2
    assert "Mars/Base" in done.stderr


def test_stdio_wants_a_pipe(place: Place) -> None:
    """Ours: a person who types it is told what it is for."""
    done = place.run_with_null_input("stdio")
    assert (done.returncode, done.stdout) == (2, "")
    assert "must be a pipe" in done.stderr


def test_doctor_finds_this_machine_fit(place: Place) -> None:
    """Ours: everything is named, nothing is made."""
    done = place.run("doctor")
    assert done.returncode == 0, done.stdout
    subjects = [line.split("  ")[0].split(None, 1) for line in done.stdout.splitlines()]
    assert all(mark == "ok" for mark, *_ in subjects)
    assert not place.home.exists()


def test_doctor_names_a_key_file_that_others_can_read(place: Place) -> None:
    """Ours: a problem is exit status 1; issue 3, 9: the rest is tried for real."""
    key = place.folder / "home.key"
    key.write_text("x", "utf-8")
    key.chmod(0o644)
    done = place.run("doctor", "--json")
    assert done.returncode == 1
    found = {each["subject"]: each for each in json.loads(done.stdout)}
    wrong = [name for name, each in found.items() if each["grade"] == "problem"]
    assert wrong == ["master key"]
    assert {"level strong", "level reduced", "hosts", "warm starts", "cgroup"} <= set(found)
    if found["level strong"]["text"].startswith("a probe child started confined"):
        assert found["hosts"]["text"].startswith("a probe child reached its granted host")
        assert found["warm starts"]["text"] == "a warm process came up"


def test_help_documents_the_exit_statuses() -> None:
    """Ours: scripts rely on them."""
    text = build_parser().format_help()
    assert [number for number in ("0", "1", "2", "3", "130") if f"\n  {number} " not in text] == []


def test_reader_that_leaves_early_is_no_error(place: Place) -> None:
    """Ours: `claude-runner doctor | head -1` ends quietly."""
    done = place.run_shell(f'"{sys.executable}" -I "$CHECKOUT" doctor | true')
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("serve",), ("status",), ("token", "list")], ids=" ".join)
def test_a_home_that_cannot_be_is_one_sentence(place: Place, command: tuple[str, ...]) -> None:
    """Ours: no traceback for a wrong setting."""
    done = place.run(*command, env={"CLAUDE_RUNNER_HOME": "/dev/null/home"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("claude-runner: The home /dev/null/home cannot be used")
    assert done.stderr.count("\n") == 1


def test_a_settings_file_that_is_not_there_is_refused(place: Place) -> None:
    """Ours: a slip in its name must not start another gateway than was meant."""
    done = place.run("serve", "--env-file", "/no/such.env")
    assert (done.returncode, done.stderr) == (
        2,
        "claude-runner: --env-file /no/such.env is no file.\n",
    )


def test_the_oauth_client_is_replaced_in_the_store(place: Place) -> None:
    """Issue 6, What 1: two lines for `.env`, unless the settings name the client."""
    done = place.run("client", "rotate")
    assert (done.returncode, done.stderr) == (0, "")
    names = [line.partition("=")[0] for line in done.stdout.splitlines()]
    assert names == ["OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET"]
    refused = place.run("client", "rotate", env={"OAUTH_CLIENT_ID": "claude"})
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "OAUTH_CLIENT_ID" in refused.stderr
