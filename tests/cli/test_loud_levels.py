"""A level that confines less than the default is told on every surface; none starts elsewhere."""

import json
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from gateway.local import LiveGateway
from gateway.sandbox_notice import sandbox_notice
from sandboxes.policy import Level
from tests.attacks.conftest import ATTACKER
from tests.cli.gateways import COMMAND, Place, make_place
from tests.e2e.conftest import add_fixed, wait_ready
from tests.oauth.parts import Inputs
from tests.relay.conftest import ACCEPT, modern
from tests.sandboxes.conftest import open_to_all, skip_unless_available

SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True, slots=True)
class LevelPlace(Place):
    """A place whose owner wrote a level down."""

    level: Level = Level.OFF

    def env(self) -> dict[str, str]:
        """Return the environment with the level."""
        return {**super(LevelPlace, self).env(), "SANDBOX": self.level.value}


@dataclass(frozen=True)
class Loud:
    """A gateway at such a level, with a server that runs and one that cannot have its network."""

    place: LevelPlace
    live: LiveGateway
    notice: str


@pytest.fixture(scope="module", params=[Level.OFF, Level.REDUCED], ids=lambda level: level.value)
def loud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Loud]:
    """One gateway for each level."""
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip("another user needs the system's Python")
    skip_unless_available(request.param)
    folder = tmp_path_factory.mktemp("loud")
    open_to_all(folder)
    (folder / "home").mkdir()
    place = LevelPlace(make_place(folder).folder, request.param)
    for name, more in {"plain": {}, "wants-hosts": {"network": {"hosts": ["example.com"]}}}.items():
        script = place.folder / "fixed" / name / "server.py"
        code = add_fixed(place, name, {"command": [SYSTEM_PYTHON, str(script)], **more})
        shutil.copytree(ATTACKER, code, dirs_exist_ok=True)
    with place.gateway() as live:
        wait_ready(live)
        notice = sandbox_notice(request.param)
        assert notice is not None
        yield Loud(place, live, notice)


def test_log_status_and_doctor_say_it(loud: Loud) -> None:
    """Issue 3, point 1: a banner on every surface; the exit status of doctor stays that of ok."""
    log = (loud.place.folder / "gateway.log").read_text("utf-8")
    assert f"WARNING gateway.serving: {loud.notice}" in log
    assert f"WARNING: {loud.notice}" in loud.place.run("status").stdout.splitlines()
    doctor = loud.place.run("doctor")
    assert f"WARNING  sandbox       {loud.notice}" in doctor.stdout.splitlines()
    assert "level off" not in doctor.stdout


def test_tools_say_it_of_each_server_and_to_the_model(loud: Loud) -> None:
    """Issue 3, point 1: the answers of tools, and what a client is told first."""
    listed = loud.place.json("call", "list_fixed_mcp_servers", "{}")["servers"]
    assert {server["sandbox_notice"] for server in listed} == {loud.notice}
    assert {server["sandbox"] for server in listed} == {loud.place.level.value}
    with http(loud) as client:
        body, headers = modern("server/discover")
        said = client.post("/mcp", json=body, headers={**ACCEPT, **headers}).text
    assert json.dumps(loud.notice)[1:-1] in said


def test_pages_say_it_with_and_without_a_session(loud: Loud) -> None:
    """Issue 3, point 1: every page, that of an error as well."""
    link = loud.place.run("dashboard", "link").stdout.strip().rpartition("/login")[2]
    with http(loud) as client:
        stranger = client.get("/")
        button = Inputs(client.get(f"/login{link}").text)
        assert client.post("/login", data=dict(button.hidden)).status_code == 303
        pages = [stranger, client.get("/"), client.get("/no-such-page")]
    assert [page.status_code for page in pages] == [401, 200, 404]
    for page in pages:
        assert 'class="notice bad"' in page.text
        assert f"SANDBOX={loud.place.level.value}" in page.text


def test_server_whose_network_cannot_be_had_says_why_and_harms_no_other(loud: Loud) -> None:
    """Issue 3, point 1: its state says what to set; the other one runs."""
    listed = loud.place.json("call", "list_fixed_mcp_servers", "{}")["servers"]
    by_name = {server["name"]: server for server in listed}
    assert by_name["plain"]["state"] == "ready"
    if loud.place.level is Level.REDUCED:
        assert by_name["wants-hosts"]["state"] == "failed"
        assert "set SANDBOX=strong" in by_name["wants-hosts"]["reason"]


def test_no_tool_takes_a_level(loud: Loud) -> None:
    """Issue 3, point 1: only the owner's settings have one."""
    with http(loud) as client:
        body, headers = modern("tools/list")
        answer = client.post("/mcp", json=body, headers={**ACCEPT, **headers}).json()
    tools = answer["result"]["tools"]
    assert len(tools) > 30
    for tool in tools:
        taken = json.dumps(tool["inputSchema"]).lower()
        assert "sandbox" not in taken and "reduced" not in taken, tool["name"]


def http(loud: Loud) -> httpx2.Client:
    """Return a client of the gateway."""
    headers = {"Authorization": f"Bearer {loud.live.token}"}
    return httpx2.Client(base_url=loud.live.url, headers=headers, trust_env=False, timeout=30)


LIBRARIES = """
import claude_agent_sdk, fastmcp, hypercorn.asyncio, quart, sqlalchemy, watchfiles
"""
ELSEWHERE = """
import fcntl, os, runpy, select, signal, socket, subprocess, sys
import asyncio, anyio, httpx2, multiprocessing, psutil, sysconfig, uuid
sysconfig.get_config_vars()
ONLY_LINUX = {
    fcntl: ("F_ADD_SEALS", "F_GET_SEALS", "F_SEAL_"),
    os: ("memfd_create", "MFD_", "pidfd_open", "unshare", "setns", "eventfd", "sched_", "O_PATH",
         "setresuid", "setresgid", "getresuid", "getresgid", "close_range"),
    signal: ("pidfd_send_signal",),
    socket: ("MSG_CMSG_CLOEXEC", "AF_NETLINK", "AF_PACKET"),
}
for module, beginnings in ONLY_LINUX.items():
    for name in [name for name in dir(module) if name.startswith(beginnings)]:
        delattr(module, name)
sys.platform = sys.argv[1]
"""
SERVE = "sys.argv[:] = sys.argv[2:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
START = """
sys.path.insert(0, sys.argv[2])
from pathlib import Path
import gateway.serving
from sandboxes import launch
from sandboxes.policy import Level, Policy
from supervisor.children.spawned import ColdProcess
here = Path("/")
ready = launch.prepare(("/bin/echo", "well"), env={}, cwd=here, policy=Policy(Level.OFF, here))
started = ColdProcess(ready)
select.select([started.exit_fd], [], [])
assert (started.reap(), os.read(started.stdout, 9)) == (0, b"well\\n")
"""


def elsewhere(
    place: Place, platform: str, code: str, level: Level
) -> "subprocess.CompletedProcess[str]":
    """Run code where what only Linux has is missing; the real systems were never tried."""
    return subprocess.run(
        [sys.executable, "-I", "-c", code, platform, COMMAND[-1], "serve"],
        env={**place.env(), "SANDBOX": level.value},
        cwd=place.folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("platform", "level", "sentence"),
    [
        (
            "darwin",
            Level.STRONG,
            "SANDBOX=strong needs Linux; on macOS Claude Runner starts with SANDBOX=off alone, "
            "which nobody has tested there.",
        ),
        ("win32", Level.OFF, "Claude Runner needs Linux, and this is win32; run it in a virtual "
         "machine."),
    ],
)  # fmt: skip
def test_elsewhere_than_on_linux_one_sentence_says_so(
    platform: str, level: Level, sentence: str, place: Place
) -> None:
    """Issue 3, point 9: before anything that only Linux has is touched."""
    done = elsewhere(place, platform, ELSEWHERE + SERVE, level)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"claude-runner: {sentence}\n")


def test_level_off_needs_nothing_that_only_linux_has(place: Place) -> None:
    """Issue 3, point 9: all is imported and a child is started and seen to end."""
    done = elsewhere(place, "darwin", LIBRARIES + ELSEWHERE + START, Level.OFF)
    assert (done.returncode, done.stderr) == (0, "")
