"""A child that uses more processors than it may gets what others leave."""

import os
import subprocess
import sys
from pathlib import Path

from sandboxes.limits.watchdog import Tree
from supervisor.metering.cpu_share import LOWEST, TICKS_PER_S, WINDOW_S, CpuWindow

TWO_THREADS = """
import sys, threading
threading.Thread(target=sys.stdin.read).start()
print("up", flush=True)
"""


def used(pid: int, seconds: float) -> Tree:
    """Return a tree of one process that has used so much processor time."""
    return Tree((pid,), 2, 0, round(seconds * TICKS_PER_S))


def test_every_thread_is_lowered_after_a_window_above_the_limit() -> None:
    """Issue 3, 3: a share of the processors, where no cgroup caps it."""
    with subprocess.Popen(
        [sys.executable, "-c", TWO_THREADS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        window = CpuWindow()
        threads = [int(each.name) for each in Path(f"/proc/{child.pid}/task").iterdir()]
        window.look(used(child.pid, 5), 1.0, now=100.0)
        window.look(used(child.pid, 5 + WINDOW_S), 1.0, now=100 + WINDOW_S)
        assert window.take_lowered() is None
        window.look(used(child.pid, 5 + 3 * WINDOW_S), 1.0, now=100 + 2 * WINDOW_S)
        assert window.take_lowered() == 2.0
        assert window.take_lowered() is None
        assert {os.getpriority(os.PRIO_PROCESS, each) for each in threads} == {LOWEST}
        child.stdin.close()  # pyright: ignore[reportOptionalMemberAccess] - it is a pipe


def test_a_child_without_a_limit_is_left_alone() -> None:
    """Ours: the smaller share of every child is all that holds then."""
    window = CpuWindow()
    for second in range(3):
        window.look(used(os.getpid(), second * 1000.0), None, now=second * WINDOW_S)
    assert window.take_lowered() is None
