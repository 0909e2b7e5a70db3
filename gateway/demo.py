"""The demo: a gateway of its own in a temporary home, taken through everything once, without a key.

The gateway, its child and the Claude CLI are real; only the model is a stand-in, and says so.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, cast

import psutil
from anyio.from_thread import start_blocking_portal

from gateway.cli.call import value_of
from gateway.cli.client import GatewayUnreachable, Refused, call_tool, request_local
from gateway.domain.run import RunStatus
from gateway.local import GatewayStarting, LiveGateway, find_live
from gateway.standin import ModelRequest, StandIn
from gateway.variables import CHECKOUT
from sandboxes import probe
from sandboxes.policy import Level

START_LIMIT_S = 60.0
RUN_LIMIT_S = 120.0
RECOVERY_LIMIT_S = 60.0
END_LIMIT_S = 25.0
"""The gateway promises to end within 20 s."""
LOOK_EVERY_S = 0.05
SERVER, TOOL = "greeter", "mcp__greeter__greet"
CODE = '''\
from fastmcp import FastMCP

mcp = FastMCP("greeter")
BOOK = DATA_DIR / "guests.txt"


@mcp.tool
def greet(name: str) -> str:
    """Greet somebody, and say how many were greeted before."""
    before = len(BOOK.read_text().splitlines()) if BOOK.exists() else 0
    with BOOK.open("a") as book:
        book.write(name + chr(10))
    return f"Hello {name}, {before} came before you."


mcp.run()
'''
EDIT = ("Hello", "Good day")
JOB = {
    "name": "Greet daily",
    "cron": "0 9 * * *",
    "prompt": f'Call {TOOL} with {{"name": "Job"}} and report what it says.',
    "tools": [TOOL],
}

T = TypeVar("T")


class DemoFailed(Exception):
    """A step did not do what it should; the message is one sentence."""


def show_demo(*, stay: bool) -> None:
    """Show every step, then wait for Ctrl-C if `stay`. Raises DemoFailed; leaves no process."""
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell lets a command in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="claude-runner-demo-") as folder,
        _stand_in() as model,
        _gateway(Path(folder), model.url) as live,
    ):
        _Demo(live, model).show()
        _say(f"Dashboard (opens once): {_new_link(live)}")
        if stay:
            _say("Ctrl-C ends the demo and everything it started.")
            while True:
                # Not signal.pause(): it sleeps through a signal that comes just before it.
                time.sleep(LOOK_EVERY_S)


class _Demo:
    """The steps, in order."""

    def __init__(self, live: LiveGateway, model: StandIn) -> None:
        self._live = live
        self._model = model

    def show(self) -> None:
        """Take every step and print what happened."""
        _step("Create a dynamic server through /mcp", self._create)
        _step("Call its tool", self._greet, "Ada")
        _step("Run a job that uses it, by the real Claude CLI", self._run_job)
        for line in _told(self._model.requests):
            _say(f"          {line}")
        _step("Kill the child with SIGKILL, and call until it answers again", self._kill_and_call)
        _step("Edit the code; the new child takes over", self._edit)
        _step("Call again", self._greet, "Grace")

    def _create(self) -> str:
        made = self._call("create_mcp_server", {"name": SERVER, "code": CODE})
        return _checked(made)

    def _greet(self, name: str) -> str:
        answer = self._call("invoke_internal_mcp_tool", {"tool": TOOL, "payload": {"name": name}})
        return str(cast("Mapping[str, object]", answer)["result"])

    def _run_job(self) -> str:
        job_id = self._call("create_job", JOB)["job"]["id"]
        run_id = self._call("trigger_job", {"job_id": job_id})["run_id"]
        detail = _until(RUN_LIMIT_S, "the run ended", lambda: self._final_run(run_id))
        if detail["run"]["status"] != RunStatus.SUCCEEDED:
            raise DemoFailed(f"The run is {detail['run']['status']}: {detail['run']['error']}")
        return f"{run_id} succeeded: {detail['output']}"

    def _final_run(self, run_id: str) -> Any:
        detail = self._call("get_run", {"run_id": run_id})
        return detail if RunStatus(detail["run"]["status"]).final else None

    def _kill_and_call(self) -> str:
        pid = self._child()["pid"]
        os.kill(pid, signal.SIGKILL)
        answer = _until(RECOVERY_LIMIT_S, "the tool answered", lambda: self._greeting(pid))
        return f"process {pid} became {self._child()['pid']}: {answer}"

    def _greeting(self, dead: int) -> str | None:
        """Return the tool's answer, None while there is no new child or it cannot be called."""
        if self._child()["pid"] in (dead, None):
            return None
        try:
            return self._greet("Alan")
        except Refused:
            return None

    def _edit(self) -> str:
        edited = {"name": SERVER, "code": CODE.replace(*EDIT)}
        return _checked(self._call("update_mcp_server", edited))

    def _child(self) -> Any:
        servers = request_local(self._live, "GET", "status")["servers"]
        return next(server for server in servers if server["name"] == SERVER)

    def _call(self, tool: str, arguments: Mapping[str, object]) -> Any:
        result = call_tool(self._live, "/mcp", tool, arguments)
        if result.get("isError"):
            raise Refused(f"{tool}: {value_of(result)}")
        return value_of(result)


@contextmanager
def _stand_in() -> Generator[StandIn]:
    """Serve the scripted model in a thread, so that Ctrl-C reaches the steps in this one."""
    with start_blocking_portal() as portal:
        manager = portal.wrap_async_context_manager(StandIn())
        model = manager.__enter__()
        try:
            yield model
        finally:
            # Told of no exception: its task group would wrap it into a group.
            manager.__exit__(None, None, None)


@contextmanager
def _gateway(folder: Path, model_url: str) -> Generator[LiveGateway]:
    """Start a gateway, yield where it listens, end it with everything below it."""
    log, home = folder / "gateway.log", folder / "home"
    command = [sys.executable, "-I", str(CHECKOUT), "serve", "--env-file"]
    command.append(str(_write_settings(folder, home, model_url)))
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder)},
            cwd=folder,
            # Nothing is ever written: it ends with us, however we end, and so does the gateway.
            stdin=subprocess.PIPE,
            stdout=stderr,
            stderr=stderr,
            # Ctrl-C in the terminal is ours to pass on, once.
            start_new_session=True,
        )
    try:
        yield _step("Start a gateway", _wait_ready, process, home, log, show=_where)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _end(process)


def _wait_ready(process: "subprocess.Popen[bytes]", home: Path, log: Path) -> LiveGateway:
    def ready() -> LiveGateway | None:
        if process.poll() is not None:
            tail = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise DemoFailed(f"The gateway did not start: {' '.join(tail) or 'it said nothing'}")
        try:
            live = find_live(home)
        except GatewayStarting:
            return None
        return live if live is not None and _answers(live) else None

    return _until(START_LIMIT_S, "the gateway was ready", ready)


def _answers(live: LiveGateway) -> bool:
    try:
        request_local(live, "GET", "status")
    except (Refused, GatewayUnreachable):
        return False
    return True


def _write_settings(folder: Path, home: Path, model_url: str) -> Path:
    """Write the demo's own settings; the owner's `.env` and home are not touched."""
    level = probe.available_level()
    if level is not Level.STRONG:
        _say(f"Attention: the sandbox level strong cannot be had here; the demo uses {level}.")
    for name in ("fixed", "dynamic"):
        (folder / name).mkdir()
    settings = {
        "CLAUDE_RUNNER_HOME": home,
        "MASTER_KEY_FILE": folder / "master.key",
        "FIXED_SERVERS_DIR": folder / "fixed",
        "DYNAMIC_SERVERS_DIR": folder / "dynamic",
        "ANTHROPIC_API_KEY": "needed-by-no-model-of-the-demo",
        "ANTHROPIC_BASE_URL": model_url,
        "MCP_TRANSPORT": "stdio",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "SANDBOX": level,
    }
    path = folder / "settings.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
    return path


def _end(process: "subprocess.Popen[bytes]") -> None:
    began = time.monotonic()
    family = _family(process.pid)
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(family, timeout=2.0)
    for each in left:
        each.kill()
    _say(f"{time.monotonic() - began:6.2f} s  The gateway has ended; {len(left)} processes left.")


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _step(title: str, act: Callable[..., T], *args: object, show: Callable[[T], str] = str) -> T:
    began = time.monotonic()
    result = act(*args)
    _say(f"{time.monotonic() - began:6.2f} s  {title}\n          -> {show(result)}")
    return result


def _where(live: LiveGateway) -> str:
    return f"process {live.pid} at {live.url}"


def _until(limit_s: float, what: str, look: Callable[[], T | None]) -> T:
    """Return the first value that `look` finds. Raises DemoFailed."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(LOOK_EVERY_S)
    raise DemoFailed(f"{limit_s:g} s passed before {what}.")


def _checked(answer: Any) -> str:
    if not answer["ok"]:
        raise DemoFailed(answer["message"])
    return str(answer["message"])


def _told(requests: list[ModelRequest]) -> Iterator[str]:
    """Say what passed between the CLI and the scripted stand-in."""
    yield f"[stand-in] There is no model: a script answered {len(requests)} requests of the CLI."
    for asked in requests[-1:]:
        offered = ", ".join(tool.name for tool in asked.mcp_tools) or "none"
        yield f"[stand-in] It was offered these tools of servers: {offered}."
        for result in asked.tool_results:
            yield f"[stand-in] It was told this result of its call: {result}"


def _new_link(live: LiveGateway) -> str:
    return live.url + str(request_local(live, "POST", "dashboard/links")["path"])


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)
