"""Two small processes between gateway and child that end all the child leaves, without namespaces.

    gateway -> face (the process it knows) -> keeper (adopts orphans) -> child and its descendants

The face dies with the gateway or by its signals; the keeper, in a group of its own, notices that,
or the child's end, and ends every descendant. The child shares the face's group, so signals to
the group reach it. Landlock keeps it from signalling either. Standard library only.
"""

import os
import time

from sandboxes.confinement import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Only for its names.
    import signal
else:
    # As in the launcher, which imports this.
    import _signal as signal

ABANDONED = signal.SIGUSR1
NULL = "/dev/null"
END_WITHIN_S = 2.0
"""Processes that still multiply by then are left to their limits; frozen ones cannot."""
PAUSE_S = 0.005


def keep() -> int:
    """Put two processes between this one's parent and the child; return only in the child.

    Returns the process number of the child's parent.

    Raises:
        OSError: a process cannot be made.
    """
    # Before any child is there that could end; a blocked signal waits for sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {ABANDONED, signal.SIGCHLD})
    group = os.getpgrp()
    face = os.getpid()
    middle = os.fork()
    if middle:
        _let_go()
        _wait_ignoring_signals(middle)
    os.setpgid(0, 0)
    kernel.prctl("adopting orphans", kernel.PR_SET_CHILD_SUBREAPER, 1)
    kernel.prctl("setting the parent-death signal", kernel.PR_SET_PDEATHSIG, ABANDONED)
    if os.getppid() != face:
        os._exit(1)
    parent = os.getpid()
    child = os.fork()
    if child:
        _let_go()
        _guard(child)
    # The launcher resets all signals of the program later.
    os.setpgid(0, group)
    return parent


def _let_go() -> None:
    """Hold none of the child's pipes: their end must be the child's end."""
    null = os.open(NULL, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    os.chdir("/")


def _wait_ignoring_signals(child: int) -> None:
    """End as the keeper ends; a signal to the group is the child's business."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _guard(child: int) -> None:
    """Wait for the child's end or the gateway's, end all descendants, and end with its status."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    status = None
    while status is None and signal.sigwait({ABANDONED, signal.SIGCHLD}) == signal.SIGCHLD:
        status = _reap(child)
    end_descendants(os.getpid())
    code = 0 if status is None else os.waitstatus_to_exitcode(status)
    # As shells and bubblewrap report a signal.
    os._exit(code if code >= 0 else 128 - code)


def _reap(child: int) -> int | None:
    """Collect what has ended; return the child's status if it was among it."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status


def end_descendants(root: int) -> None:
    """Kill every process below `root`. First all are stopped, so that none can multiply."""
    deadline = time.monotonic() + END_WITHIN_S
    stopped: set[int] = set()
    while time.monotonic() < deadline:
        fresh = descendants(root) - stopped
        if not fresh:
            break
        _signal(fresh, signal.SIGSTOP)
        stopped |= fresh
    while time.monotonic() < deadline and (alive := descendants(root)):
        _signal(alive, signal.SIGKILL)
        _reap(0)
        time.sleep(PAUSE_S)


def descendants(root: int) -> set[int]:
    """Return the processes below `root` by their parents' numbers."""
    parents = {int(name): _parent(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - pathlib costs 10 ms here
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - as above
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue
