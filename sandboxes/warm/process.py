"""The warm process: imports what Python servers import, once, and forks a confined child per start.

    python -I process.py <descriptor of a socket>

    gateway -> monitor -> warm process (process 1 of its own namespaces, sees no file of the
    gateway) -> process 1 of a server's namespaces -> the server

A request is a number and descriptors (`warm_child` names them), which are passed on unread:
no environment, order, code, argument or result of any server is ever in this process, because
its memory is in every child. It ends when the socket closes, and all children end with it.
"""

import contextlib
import gc
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

sys.path.append(str(Path(__file__).resolve().parents[2]))

from sandboxes import python_server
from sandboxes.confinement import kernel, landlock, launcher, mount_tree
from sandboxes.warm import child as warm_child
from sandboxes.warm import memory_gaps

OWN_PACKAGE = "sandboxes"
MAX_MESSAGE_BYTES = 65536
MAX_DESCRIPTORS = 16
THREADS_END_WITHIN_S = 10.0
"""Worker threads of the rehearsal end by themselves, in milliseconds."""
LOOK_AGAIN_S = 0.01
ENDED = 1


class Children:
    """The children that are alive, or dead and not yet taken note of by the gateway."""

    def __init__(self, poll: select.poll) -> None:
        self._poll = poll
        self._alive: dict[int, tuple[int, int]] = {}
        self._ended: dict[int, int] = {}

    def add(self, pid: int, pidfd: int, status: int) -> None:
        """Watch a child; its end will be told on `status`."""
        self._alive[pidfd] = (pid, status)
        self._poll.register(pidfd, select.POLLIN)

    def look(self, descriptor: int) -> None:
        """Tell of an end, or forget a child whose end was read."""
        if descriptor in self._ended:
            self._poll.unregister(descriptor)
            os.waitpid(self._ended.pop(descriptor), 0)
            os.close(descriptor)
            return
        pid, status = self._alive.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        # Not reaped yet: until the gateway has read this, the number belongs to nobody else.
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        # Where the gateway gave the child up, the poll below says so as well.
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d\n" % code)
        self._ended[status] = pid
        self._poll.register(status, 0)


def main() -> None:
    """Serve forks; in a fork, run its server."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        closed, _filling = warm_up(control)
    except BaseException as error:  # noqa: BLE001 - all ends here, and the gateway must learn why
        say(control, {"failed": f"{type(error).__name__}: {error}"})
        os._exit(ENDED)
    arguments = serve(control, closed)
    forget_ourselves()
    sys.argv[:] = arguments
    python_server.run(Path(arguments[1]))


def warm_up(control: socket.socket) -> tuple[list[int], list[object]]:
    """Go into the outer layer and rehearse; returns in the warm process only.

    What comes back are the TCP ports to which nothing that is forked can connect any more, and
    objects to be kept.
    """
    config = json.loads(control.recv(MAX_MESSAGE_BYTES))
    view = mount_tree.parse(config["tree"])
    if view.namespaces & kernel.NEW_USERS:
        warm_child.enter_user_namespace(None, None)
    kernel.unshare(view.namespaces & ~kernel.NEW_USERS)
    follow_parent()
    if os.getppid() != config["parent"]:
        raise OSError("the process that asked for it is already gone")
    warm = os.fork()
    if warm:
        monitor(warm)
    follow_parent()
    os.close(mount_tree.enter(view, hide_switches=False))
    # Once for all its children; a child of its own would pay 0.3 s for it.
    if config["closed ports"]:
        landlock.close_ports(config["closed ports"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kernel.prctl("hiding memory", kernel.PR_SET_DUMPABLE, 0)
    runpy.run_path(config["rehearsal"], run_name="rehearsal")
    wait_for_threads()
    gc.collect()
    filling = memory_gaps.fill()
    gc.freeze()
    kernel.free_unused_memory()
    say(control, {"ready": True})
    return config["closed ports"], filling


def follow_parent() -> None:
    """Die with the parent; the socket's end says the same where this was too late."""
    kernel.prctl("setting the parent-death signal", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def monitor(warm: int) -> NoReturn:
    """End as the warm process ends; holds no descriptor that would keep the socket open."""
    os.closerange(0, launcher.EVERY_FD)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(warm, 0)[1]) & 0xFF)


def wait_for_threads() -> None:
    """Return when this process has one thread.

    Raises:
        OSError: others do not end.
    """
    deadline = time.monotonic() + THREADS_END_WITHIN_S
    while threads() != 1:
        if time.monotonic() > deadline:
            raise OSError(f"the rehearsal left {threads() - 1} threads behind")
        time.sleep(LOOK_AGAIN_S)


def threads() -> int:
    """Return how many threads this process has; a fork of more than one may hang."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - before each fork


def serve(control: socket.socket, closed: list[int]) -> list[str]:
    """Fork on request until the socket closes; returns in a fork only: what it is to run."""
    own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    children = Children(poll)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != control.fileno():
                children.look(descriptor)
                continue
            number, given = hear(control)
            if threads() != 1:
                say(control, {"failed": f"it has {threads()} threads"})
                os._exit(ENDED)
            pid = bear(control, number)
            if pid == 0:
                control.detach()
                return warm_child.become_server(given, closed)
            kernel.enter_namespace(own_processes, kernel.NEW_PROCESSES)
            if pid is not None:
                pidfd = os.pidfd_open(pid)
                children.add(pid, pidfd, os.dup(given[warm_child.STATUS]))
                say(control, {"forked": number}, pidfd)
            for each in given:
                os.close(each)


def bear(control: socket.socket, number: int) -> int | None:
    """Return a child's number, 0 in the child, None when it is refused and the gateway was told."""
    try:
        # Only the next child is born in the new namespace, as its process 1.
        kernel.unshare(kernel.NEW_PROCESSES)
        return os.fork()
    except OSError as error:
        # The other children must not die of it, as they would with this process.
        say(control, {"refused": number, "reason": str(error)})
        return None


def hear(control: socket.socket) -> tuple[int, list[int]]:
    """Return the next request's number and descriptors; ends this process with the gateway."""
    message, given, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
    if not message:
        os._exit(0)
    if len(given) not in warm_child.NUMBERS_OF_DESCRIPTORS:
        say(control, {"failed": f"a request came with {len(given)} descriptors"})
        os._exit(ENDED)
    return json.loads(message)["fork"], given


def say(control: socket.socket, message: dict[str, object], *descriptors: int) -> None:
    """Tell the gateway; ends this process when it is gone."""
    try:
        socket.send_fds(control, [json.dumps(message).encode()], descriptors)
    except ConnectionError:
        os._exit(ENDED)


def forget_ourselves() -> None:
    """Take away what a fresh interpreter that runs a server would not have."""
    own_folder = str(Path(__file__).resolve().parents[2])
    sys.path[:] = [path for path in sys.path if path != own_folder]
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN_PACKAGE]:
        del sys.modules[name]


if __name__ == "__main__":
    main()
