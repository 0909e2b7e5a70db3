"""The demo from its first line to the last process it leaves, which is none."""

import os
import re
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cli.gateways import COMMAND, END_S

pytestmark = pytest.mark.timeout(240)

STEPS = (
    "Start a gateway",
    "Create a dynamic server through /mcp",
    "Call its tool",
    "Run a job that uses it, by the real Claude CLI",
    "Kill the child with SIGKILL, and call until it answers again",
    "Edit the code; the new child takes over",
    "Call again",
)


@contextmanager
def demo(folder: Path) -> Generator["subprocess.Popen[str]"]:
    """Run the demo; everything it makes is below `folder`."""
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "TMPDIR": str(folder)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: "subprocess.Popen[str]", text: str) -> list[str]:
    """Return what it printed up to the line that holds `text`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"it ended before saying {text!r}: {lines}")


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes below `pid`."""
    return psutil.Process(pid).children(recursive=True)


def test_demo_shows_every_step_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Ours: real gateway, real child, real CLI, and a stand-in that says what it is."""
    with demo(tmp_path) as process:
        lines = lines_until(process, "Ctrl-C ends the demo")
        below = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 130
    titles = [match[1] for line in lines if (match := re.match(r" *\d+\.\d\d s  (.+)", line))]
    assert titles == list(STEPS)
    answers = [line for line in lines if line.startswith("          -> ")]
    assert answers[2].endswith("Hello Ada, 0 came before you.")
    assert "[stand-in] The tool answered" in answers[3]
    assert answers[4].endswith("Hello Alan, 2 came before you.")
    assert answers[6].endswith("Good day Grace, 3 came before you.")
    assert any("[stand-in] There is no model" in line for line in lines)
    assert any(re.search(r"http://127\.0\.0\.1:\d+/login\?key=", line) for line in lines)
    assert below
    assert psutil.wait_procs(below, timeout=END_S)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_demo_that_is_killed_takes_everything_with_it(tmp_path: Path) -> None:
    """Ours: the gateway ends with the pipe between them, its children with it."""
    with demo(tmp_path) as process:
        lines_until(process, "Create a dynamic server")
        below = descendants(process.pid)
        process.kill()
    assert below
    assert psutil.wait_procs(below, timeout=END_S)[1] == []
