"""What Claude does from the chat, done from the shell: servers, jobs, credentials, webhooks."""

import json
import re
import shutil
import sys
from collections.abc import Generator

import pytest

from tests.cli.gateways import make_place
from tests.cli.shell import Shell
from tests.tools.servers import server_code
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

NUMBER = {"type": "integer"}
ADD = {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}
SUM = """
sum = arguments["a"] + arguments["b"]
return {"content": [{"type": "text", "text": str(sum)}], "structuredContent": {"sum": sum}}"""
BEFORE = """import os, sys
print("ready to add", file=sys.stderr)
KEY = os.environ.get("ADDER_KEY")"""
NAMED = server_code({"add": ADD}, SUM, before=BEFORE)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A shell beside a running gateway."""
    place = make_place(tmp_path_factory.mktemp("owner"))
    with place.gateway(SANDBOX="off"):
        yield Shell(place)


def test_a_server_is_made_from_a_folder_changed_and_removed(shell: Shell) -> None:
    """Issue 8, What 2: `servers` and `logs`, from its making to its end."""
    assert shell.text("servers", "list") == "There are no servers.\n"
    folder = shell.write("adder/server.py", NAMED).parent
    shell.write("adder/metadata.json", '{"description": "Adds."}')
    made = shell.text("servers", "create", folder)
    assert made.startswith("Server 'adder' is created and ready.")
    assert re.search(r"adder +dynamic +ready +yes +1 +none +Adds\.", shell.text("servers", "list"))
    assert shell.json("servers", "tools", "adder")[0]["name"] == "mcp__adder__add"
    assert shell.json("servers", "health", "adder")["servers"][0]["state"] == "ready"
    assert shell.json("servers", "show", "adder")["server"]["description"] == "Adds."
    assert "description: Adds." in shell.text("servers", "show", "adder")
    assert "ready to add" in shell.text("logs", "adder", "--contains", "READY")
    assert shell.json("tools", "call", "adder:add", '{"a": 2, "b": 3}') == {"sum": 5}
    assert "mcp__adder__add" in shell.text("tools", "search", "add")
    assert '"a"' in shell.text("tools", "show", "adder:add")
    changed = shell.write("new.py", NAMED.replace("] + arg", "] - arg"))
    assert "generation 2" in shell.text("servers", "edit", "adder", "--code", changed)
    assert "-    sum = arguments" in shell.text("servers", "diff", "adder")
    assert "back at version 1" in shell.text("servers", "rollback", "adder")
    assert len(shell.json("servers", "versions", "adder")["versions"]) == 3
    tried = shell.text(
        "servers", "test", "adder", "--calls", '[{"tool": "add", "arguments": {"a": 1, "b": 1}}]'
    )
    assert tried.startswith("ok      add")
    assert shell.text("servers", "disable", "adder") == "Server 'adder' is disabled.\n"
    assert "enabled and ready" in shell.text("servers", "enable", "adder")
    assert "restarted and ready" in shell.text("servers", "restart", "adder")
    assert shell("servers", "remove", "adder").status == 2
    assert shell.text("servers", "remove", "adder", "--yes").startswith("Server 'adder' is deleted")


def test_a_server_that_does_not_start_is_a_failure_with_its_reason(shell: Shell) -> None:
    """Ours: exit status 1, the end of its standard error, and it is kept to be mended."""
    folder = shell.write("sad/server.py", "1 / 0\n").parent
    said = shell("servers", "create", folder)
    assert (said.status, said.out) == (1, "")
    assert "ZeroDivisionError" in said.err
    assert shell.json("status")["servers"][0]["state"] in ("backoff", "starting", "failed")
    checked = shell("status", "--check")
    assert (checked.status, checked.err) == (8, "claude-runner: Not well: sad.\n")
    shell.text("servers", "remove", "sad", "--yes")
    shell.write("needy/metadata.json", '{"credentials": ["ADDER_KEY"]}')
    waits = shell("servers", "create", shell.write("needy/server.py", NAMED).parent)
    assert waits.status == 1
    assert "set it with `./claude-runner credentials set`" in waits.err
    shell.text("servers", "remove", "needy", "--yes")
    shell.write("sad/more.txt", "x")
    said = shell("servers", "create", folder)
    assert (said.status, "'more.txt'" in said.err) == (2, True)


def test_a_secret_is_piped_in_and_never_printed(shell: Shell) -> None:
    """Issue 8, What 2: `credentials`, whose values stand in no argument and no output."""
    folder = shell.write("keeper/server.py", NAMED).parent
    shell.text("servers", "create", folder)
    secret = "correct-horse-battery-9"
    said = shell.text("credentials", "set", "keeper", "ADDER_KEY", given=f"{secret}\n")
    said += shell.text("credentials", "list", "keeper") + shell.text("servers", "show", "keeper")
    assert said.startswith("ADDER_KEY of server 'keeper' is set.")
    assert secret not in said
    assert shell.json("credentials", "list", "keeper")["credentials"][0]["is_set"]
    assert "/credential" in shell.text("credentials", "link", "keeper", "ADDER_KEY")
    empty = shell("credentials", "set", "keeper", "ADDER_KEY", given="\n")
    assert (empty.status, "is empty" in empty.err) == (2, True)
    deleted = shell.text("credentials", "delete", "keeper", "ADDER_KEY", "--yes")
    assert deleted.startswith("ADDER_KEY of server 'keeper' is deleted.")
    assert shell.text("credentials", "list") == "No server waits for a secret.\n"
    shell.text("servers", "remove", "keeper", "--yes")


def imported(shell: Shell, value: str) -> None:
    """Import a server with one variable, while the gateway runs."""
    entry = {"command": "true", "env": {"KEY": value}}
    file = shell.write("given.json", json.dumps({"servers": {"weather app": entry}}))
    shell.text("import", file, "--yes")


def test_an_imported_server_is_removed_with_what_is_its_own(shell: Shell) -> None:
    """Issue 8: by command, as a dynamic one; the next server of its name finds nothing."""
    imported(shell, "hush-hush")
    folder = shell.place.folder / "fixed" / "weather-app"
    data = shell.write("home/servers/weather-app/data/notes.txt", "x")
    shell.text("servers", "grant", "weather-app", "--host", "weather.example.com")
    assert shell("servers", "remove", "weather-app").status == 2
    removed = shell.text("servers", "remove", "weather-app", "--yes")
    assert removed.startswith("Server 'weather-app' is deleted with its folder")
    assert (folder.exists(), data.exists()) == (False, False)
    assert list((shell.place.home / "grants").iterdir()) == []
    assert shell.json("credentials", "list")["removed"] == []
    assert "delete a server" in shell.text("audit")
    again = shell("servers", "remove", "weather-app", "--yes")
    assert (again.status, "weather-app" in again.err) == (1, True)


def test_secrets_of_a_server_that_is_gone_are_listed_and_deleted(shell: Shell) -> None:
    """Ours: whoever removes a folder by hand must not leave them to the next of its name."""
    imported(shell, "hush-hush")
    shutil.rmtree(shell.place.folder / "fixed" / "weather-app")
    wait_until(lambda: shell.json("servers", "list")["servers"] == [])
    forget = "./claude-runner credentials delete weather-app KEY"
    assert forget in shell.text("credentials", "list")
    assert shell.json("credentials", "list", "weather-app")["credentials"][0]["is_set"]
    deleted = shell.text("credentials", "delete", "weather-app", "KEY", "--yes")
    assert deleted.startswith("KEY of server 'weather-app', which is not there any more")
    assert shell.text("credentials", "list") == "No server waits for a secret.\n"
    assert shell("credentials", "delete", "weather-app", "KEY", "--yes").status == 1


def test_a_job_is_made_changed_paused_and_deleted(shell: Shell) -> None:
    """Issue 8, What 2: `jobs`, by id or by name."""
    assert shell.text("jobs", "list") == "There are no jobs.\n"
    made = shell.text(
        "jobs",
        "create",
        "brief",
        "-",
        "--cron",
        "0 7 * * *",
        "--timezone",
        "Europe/Berlin",
        "--tools",
        "Read,Glob",
        given="Say\nhello.",
    )
    assert "\nSay\nhello.\n" in made
    (job,) = shell.json("jobs", "list")["jobs"]
    assert (job["cron"], job["tools"]) == ("0 7 * * *", ["Read", "Glob"])
    assert len(shell.json("jobs", "next", "brief")["next_runs"]) == 5
    shell.text("jobs", "edit", "brief", "--retries", 2, "--network", "none")
    assert shell.json("jobs", "show", job["id"])["job"]["retries"] == 2
    assert shell.text("jobs", "pause", "brief") == "Job 'brief' is paused.\n"
    assert re.search(r"brief .* off ", shell.text("jobs", "list"))
    assert "07:00" in shell.text("jobs", "resume", "brief")
    started = shell.text("jobs", "run", "brief")
    assert re.match(r"Run run_\w+ is \w+; follow it with: ./claude-runner runs follow", started)
    assert "shown this once: " in shell.text("jobs", "fire-token", "brief")
    shell.text("jobs", "fire-token", "brief", "--delete")
    wrong = shell("jobs", "show", "nothing")
    assert (wrong.status, "There is no job" in wrong.err) == (1, True)
    assert shell("jobs", "edit", "brief", "--enabled", "perhaps").status == 2
    assert "are deleted" in shell.text("jobs", "delete", "brief", "--yes")


def test_a_webhook_is_made_signed_and_deleted(shell: Shell) -> None:
    """Issue 8, What 2: `webhooks`; the sender's own secret is piped in."""
    made = shell.json("webhooks", "create", "ci", "Look at {{payload}}.", "--scheme", "github")
    hook = made["webhook"]["id"]
    assert made["secret"]
    shell.text("webhooks", "edit", hook, "--rate-per-minute", 7)
    assert shell.json("webhooks", "show", hook)["webhook"]["rate_per_minute"] == 7
    assert shell.json("webhooks", "show", "ci")["webhook"]["id"] == hook
    assert shell.json("webhooks", "deliveries", "ci") == {"deliveries": []}
    unknown = shell("webhooks", "show", "cii")
    assert unknown.err.endswith("'cii'; `./claude-runner webhooks list` shows the ids.\n")
    signed = shell.text("webhooks", "sign", hook, "bearer", "--ask-secret", given="x" * 40 + "\n")
    assert "x" * 40 not in signed
    assert shell.text("webhooks", "delete", hook, "--yes").startswith("Webhook 'ci' is deleted")
    assert json.loads(shell.text("webhooks", "list", "--json")) == {"webhooks": []}


def test_a_server_of_another_client_is_imported_and_enabled(shell: Shell) -> None:
    """Issue 8, What 3: its `env` is sealed, and it runs only once it is enabled."""
    program = shell.write("elsewhere/adder.py", NAMED)
    entry = {"command": sys.executable, "args": [str(program)], "env": {"ADDER_KEY": "hush-hush"}}
    file = shell.write("desktop.json", json.dumps({"mcpServers": {"My Adder": entry}}))
    said = shell.text("import", file, "--yes")
    assert f"  may read  {program.parent}" in said
    assert "hush-hush" not in said
    (server,) = shell.json("servers", "list")["servers"]
    assert (server["name"], server["state"]) == ("my-adder", "disabled")
    shell.text("servers", "enable", "my-adder")
    assert shell.json("tools", "call", "my-adder:add", '{"a": 2, "b": 3}') == {"sum": 5}
    assert shell.json("credentials", "list", "my-adder")["credentials"][0]["is_set"]
    written = (shell.place.folder / "fixed" / "my-adder" / "metadata.json").read_text("utf-8")
    assert "hush-hush" not in written
    again = shell("import", file, "--yes")
    assert (again.status, "is there already" in again.err) == (1, True)
