"""What a newcomer with the guide has on a machine with real systemd, how the service lives there,
and how `update.sh` takes it to another commit and back.
"""

import json
import os
import shutil
import ssl
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from tests.deploy.conftest import CERTIFICATE, INSTALL, STATE, Installed
from tests.deploy.installed import git, release, trust_signatures
from tests.deploy.machine import wait_for
from tests.oauth.fastmcp_client import ScriptedOAuth
from tests.oauth.parts import Browser

pytestmark = [
    pytest.mark.timeout(300),
    # The client's tokens live as long as the test.
    pytest.mark.filterwarnings("ignore:Using in-memory token storage"),
]

WAIT_S = 60.0
SERVICE = "claude-runner.service"
CALLERS = 4
UPDATE = "/opt/claude-runner/deploy/update.sh"
DICE = """
import random


@mcp.tool
def roll(sides: int = 6) -> int:
    return random.randint(1, sides)
"""


def ask(installed: Installed, path: str) -> int:
    """Return the status of a GET."""
    connection = HTTPConnection("127.0.0.1", installed.port, timeout=WAIT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def mode(path: Path) -> str:
    """Return the rights of a file."""
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_the_newcomer_ends_with_a_service_that_is_well(installed: Installed) -> None:
    """Issue 9, Shows: systemd heard READY, the link was shown, claude.ai's way has no obstacle."""
    show = installed.machine.show
    assert (show(SERVICE, "ActiveState"), show(SERVICE, "Type")) == ("active", "notify")
    assert show(SERVICE, "StatusText") == f"Serving {installed.url}"
    assert show("claude-runner-backup.timer", "ActiveState") == "active"
    assert installed.said[1].splitlines()[-1].startswith(f"{installed.url}/login?key=")
    assert installed.said[5].startswith('{"status":"ok"}')


async def test_the_newcomer_ends_with_a_connected_client(installed: Installed) -> None:
    """Issue 9, Shows: with id, secret and password as the guide's commands printed them."""
    client = dict(line.split("=", 1) for line in installed.said[6].splitlines())
    context = ssl.create_default_context(cafile=installed.machine.path(CERTIFICATE))
    async with httpx2.AsyncClient(verify=context, timeout=30) as http:
        browser = Browser(installed.public, http)
        page = await browser.open(f"{installed.public}/login")
        password = installed.said[3].splitlines()[0]
        assert (await browser.log_in_by_password(page.text, "ann", password)).status_code == 303
        auth = ScriptedOAuth(
            browser,
            client_id=client["OAUTH_CLIENT_ID"],
            client_secret=client["OAUTH_CLIENT_SECRET"],
            callback_port=49152,
        )
        way = StreamableHttpTransport(f"{installed.public}/mcp", auth=auth, verify=context)
        async with Client(way) as connected:
            assert await connected.list_tools()


def test_what_it_made_is_closed_to_others(installed: Installed) -> None:
    """Ours: the program is root's, its secrets are the service's."""
    path = installed.machine.path
    state, env = path(STATE), path("/opt/claude-runner/.env")
    assert (mode(state), mode(state / "master.key"), mode(env)) == ("0o700", "0o600", "0o640")
    assert env.owner() == "root"
    assert state.stat().st_uid == (state / "master.key").stat().st_uid != 0


def test_a_server_is_confined_below_the_hardened_unit(installed: Installed) -> None:
    """Issue 9, What 4: the unit's fences and ours hold together, at the level `strong`."""
    owner = installed.machine.path(STATE).stat().st_uid
    made = installed.command(
        "call", "create_mcp_server", json.dumps({"name": "dice", "code": DICE})
    )
    server = json.loads(made)["server"]
    assert (server["state"], server["sandbox"]) == ("ready", "strong")
    roll = {"tool": "mcp__dice__roll", "payload": {"sides": 1}}
    assert "1" in installed.command("call", "invoke_internal_mcp_tool", json.dumps(roll))
    inside = installed.machine.run("cat", f"/proc/{server['pid']}/status")
    status = dict(line.split(":\t", 1) for line in inside.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(owner)] * 4
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert installed.machine.run("readlink", f"/proc/{server['pid']}/ns/net") != (
        installed.machine.run("readlink", "/proc/1/ns/net")
    )


def test_a_folder_that_the_unit_may_not_write_is_not_granted_so(installed: Installed) -> None:
    """Ours: said where it is granted, and not by each call of the server."""
    said = installed.command("servers", "grant", "files", "--read-write", "/srv", fails=1)
    assert "'/srv' cannot be granted to server 'files' for writing" in said
    assert "nothing beside" in installed.command("servers", "grant", "files")


def test_a_secret_comes_from_the_credential_store(installed: Installed) -> None:
    """Issue 9, What 4 and 6: systemd hands it over, it works, and is in no environment."""
    assert installed.switch.one().path == "/ping/Qz81LmXw"
    process = installed.machine.show(SERVICE, "MainPID")
    assert "Qz81LmXw" not in installed.machine.run("cat", f"/proc/{process}/environ")
    assert "Qz81LmXw" not in installed.machine.run("journalctl", "--unit", SERVICE)


def test_a_restart_refuses_no_caller(installed: Installed) -> None:
    """Issue 9, What 4: the socket is systemd's, and whoever connects meanwhile waits in it."""
    over = threading.Event()

    def call() -> list[int]:
        statuses: list[int] = []
        while not over.is_set():
            statuses.append(ask(installed, "/healthz"))
        return statuses

    before = installed.machine.show(SERVICE, "MainPID")
    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call) for _ in range(CALLERS)]
        try:
            installed.machine.run("systemctl", "restart", SERVICE)
        finally:
            over.set()
        answered = [status for each in calls for status in each.result()]
    assert installed.machine.show(SERVICE, "MainPID") != before
    assert set(answered) <= {200, 503}
    assert 200 in answered


def test_installing_again_changes_nothing(installed: Installed) -> None:
    """Ours: neither the key, nor the settings, nor the process that runs."""
    path = installed.machine.path
    files = (f"{STATE}/master.key", "/opt/claude-runner/.env", f"/etc/systemd/system/{SERVICE}")
    before = [path(name).stat() for name in files]
    process = installed.machine.show(SERVICE, "MainPID")
    assert f"on {installed.url}" in installed.machine.run(INSTALL)
    assert [path(name).stat() for name in files] == before
    assert installed.machine.show(SERVICE, "MainPID") == process


@pytest.mark.full
def test_a_hung_gateway_is_started_again(installed: Installed) -> None:
    """Issue 9, What 4: no sign of life within the watchdog's time."""
    run, show = installed.machine.run, installed.machine.show
    drop = installed.machine.path(f"/run/systemd/system/{SERVICE}.d")
    drop.mkdir(parents=True)
    try:
        (drop / "soon.conf").write_text("[Service]\nWatchdogSec=10\nRestartSec=0\n", "utf-8")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", SERVICE)
        hung = show(SERVICE, "MainPID")
        run("kill", "-STOP", hung)
        wait_for(lambda: show(SERVICE, "NRestarts") != "0", "a restart")
        wait_for(lambda: show(SERVICE, "ActiveState") == "active", "the next one")
        assert show(SERVICE, "MainPID") != hung
        assert ask(installed, "/healthz") == 200
    finally:
        shutil.rmtree(drop)
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", SERVICE)


@pytest.mark.full
def test_the_nightly_backup_writes_an_archive(installed: Installed) -> None:
    """Issue 9, What 4: under a unit that is tighter than the service's."""
    installed.machine.run("systemctl", "start", "claude-runner-backup.service")
    (archive,) = installed.machine.path(f"{STATE}/backups").glob("claude-runner-*")
    assert mode(archive) == "0o600"


@pytest.fixture(scope="module")
def origin(installed: Installed) -> Path:
    """Where the checkout came from and fetches from; inside the machine too."""
    origin = installed.checkout / ".git" / "origin"
    git(installed.checkout, "clone", "--quiet", "--no-local", ".", str(origin))
    git(installed.checkout, "remote", "add", "origin", "/opt/claude-runner/.git/origin")
    return origin


def head(installed: Installed) -> str:
    """Return the commit of the installed checkout."""
    return git(installed.checkout, "rev-parse", "HEAD")


def test_a_good_update_runs_and_keeps_a_backup(installed: Installed, origin: Path) -> None:
    """Issue 9, Shows: to the newest tag, with the hash that the owner expects."""
    installed.command("call", "create_job", '{"name": "kept", "cron": "0 3 * * *", "prompt": "x"}')
    program = (origin / "gateway/version.py").read_text("utf-8")
    new = release(origin, "v9.0.0", "gateway/version.py", f"{program}\n# another\n")
    before = installed.machine.show(SERVICE, "MainPID")
    backups = installed.machine.path(f"{STATE}/backups")
    backups.mkdir(exist_ok=True)
    for number in range(1, 8):
        old = backups / f"before-{'f' * 12}-{number}.tar.gz"
        old.touch()
        os.utime(old, (number, number))
    said = installed.machine.run(UPDATE, "--commit", new)
    assert said.splitlines()[-1].startswith(f"update: {new} runs and is ready; the back-up from")
    assert head(installed) == new
    assert installed.machine.show(SERVICE, "MainPID") != before
    assert ask(installed, "/readyz") == 200
    (archive,) = backups.glob(f"before-{new[:12]}-*")
    newest = {f"before-{'f' * 12}-{number}.tar.gz" for number in range(4, 8)}
    assert {each.name for each in backups.glob("before-*")} == {archive.name, *newest}
    assert '"kept"' in installed.command("call", "list_jobs")


def test_a_broken_update_is_taken_back(installed: Installed, origin: Path) -> None:
    """Issue 9, Shows: code, database and service are what they were; the status says so."""
    old = head(installed)
    serving = (origin / "gateway/serving.py").read_text("utf-8")
    broken = serving.replace(
        "async def _load_servers(gateway: Gateway) -> None:\n",
        "async def _load_servers(gateway: Gateway) -> None:\n"
        "    await gateway.servers.forget_everything()\n",
    )
    assert broken != serving
    new = release(origin, "v9.0.1", "gateway/serving.py", broken)
    said = installed.machine.run(UPDATE, fails=2)
    assert f"update: {new} failed; {old} runs again" in said
    assert head(installed) == old
    assert ask(installed, "/readyz") == 200
    assert '"kept"' in installed.command("call", "list_jobs")
    assert "/ping/Qz81LmXw/fail" in [got.path for got in installed.switch.all()]


def test_what_cannot_be_verified_is_refused_and_changes_nothing(
    installed: Installed, origin: Path
) -> None:
    """Ours: another hash than expected, no signature, no such name, a dirty tree."""
    old = head(installed)
    expected = "0" * 40
    newest = git(origin, "rev-parse", "v9.0.1")
    refused = {
        ("--commit", expected, "v9.0.1"): f"v9.0.1 is {newest} and not {expected}.",
        ("--signed", "v9.0.1"): "v9.0.1 has no signature of a known key.",
        ("v77",): "v77 is neither tag, branch nor commit.",
    }
    for arguments, sentence in refused.items():
        said = installed.machine.run(UPDATE, *arguments, fails=1)
        assert said.endswith(f"update: {sentence} Nothing was changed.\n")
    readme = installed.checkout / "deploy" / "README.md"
    text = readme.read_text("utf-8")
    readme.write_text("mine", "utf-8")
    assert " M deploy/README.md\n" in installed.machine.run(UPDATE, fails=1)
    readme.write_text(text, "utf-8")
    assert head(installed) == old


def test_a_signature_must_be_of_the_tag_that_is_taken(installed: Installed, origin: Path) -> None:
    """Ours: neither a branch of its name nor its object under another name passes for it."""
    old, run = head(installed), installed.machine.run
    trust_signatures(origin, installed.checkout)
    git(origin, "tag", "--sign", "--message", "8.1", "v8.1.0", old)
    git(origin, "update-ref", "refs/tags/v8.2.0", "refs/tags/v8.1.0")
    git(origin, "update-ref", "refs/heads/v8.1.0", "v9.0.1")
    assert f"update: v8.1.0 is {old}, which runs already\n" in run(UPDATE, "--signed", "v8.1.0")
    for name in ("v8.2.0", "v9.0.1", "origin/v8.1.0"):
        said = run(UPDATE, "--signed", name, fails=1)
        assert said.endswith(f"{name} has no signature of a known key. Nothing was changed.\n")


def test_nothing_goes_back_unasked_and_nothing_runs_twice(installed: Installed) -> None:
    """Ours: the newest tag may be older than what runs; -rc1 comes before its release."""
    old, checkout, run = head(installed), installed.checkout, installed.machine.run
    git(checkout, "tag", "--delete", *git(checkout, "tag", "--list").split())
    git(checkout, "tag", "v8.0.0", f"{old}~1")
    git(checkout, "tag", "v8.0.0-rc1", old)
    said = f"update: nothing is newer than {old}, which runs; to go back to v8.0.0, name it\n"
    assert run(UPDATE, "--local") == said
    running = "/run/claude-runner-update.running"
    said = "update: Another update is at work. Nothing was changed.\n"
    assert run("flock", running, UPDATE, fails=1) == said
    assert mode(installed.machine.path(running)) == "0o600"
    assert head(installed) == old


def test_a_checkout_of_another_user_is_updated_as_that_user(
    installed: Installed, origin: Path
) -> None:
    """Issue 9, What 4: git refuses root there, and what is in .git is not carried out as root."""
    run = installed.machine.run
    run("useradd", "--create-home", "ann")
    run("chown", "--recursive", "ann", "/opt/claude-runner/.git")
    run("chown", "ann", "/opt/claude-runner")
    assert "which runs already" in run(UPDATE, "v9.0.0")
    run("chown", "--recursive", "claude-runner", "/opt/claude-runner/.git")
    assert "must not write its own program" in run(UPDATE, "v9.0.0", fails=1)
