"""From a fork of the warm process to a confined server: every step before foreign code runs.

The first fork becomes process 1 of the server's namespaces and forks the server; each confines
itself, the server last. A step that cannot be done ends both with code 97 and one sentence on
standard error. Standard library only. Above: `process`.
"""

import fcntl
import io
import json
import os
import signal
import socket
import sys
import time
from typing import NoReturn, TextIO

from sandboxes.confinement import kernel, launcher, mount_tree
from sandboxes.network import handover

STDIN, STDOUT, STDERR, ORDER, ENVIRONMENT, STATUS, HANDOVER = range(7)
"""What comes with a request, in this order. The warm process reads none of them."""
NUMBERS_OF_DESCRIPTORS = (HANDOVER, HANDOVER + 1)
"""The last one comes for a child that hands listeners over."""
KEPT_ENVIRONMENT, KEPT_STATUS, KEPT_HANDOVER, HIGH = 3, 4, 5, 100
FIRST, SECOND = 1, 2
"""Process numbers in the server's namespace."""
HIDDEN, SHOWN = 0, 1
CONFINED = b"c"
"""Said on the status pipe once nothing is left to be taken away."""
ARGUMENTS_OF_INTERPRETER = 2
"""`python -I` stand before the script and its arguments."""


def become_server(descriptors: list[int], closed: list[int]) -> list[str]:
    """Return the arguments of the script to run, in the server's own process only.

    The first element is the path of `python_server.py`, as in a process of its own. `closed`
    are the ports that the warm process closed for itself and thereby for all its children.
    """
    try:
        order, view = _take_descriptors(descriptors)
        order.closed_ports = [port for port in order.closed_ports if port not in closed]
        _enter(order, view)
        wait, go = os.pipe()
        server = os.fork()
        if server:
            _confine(order, FIRST, memory=HIDDEN)
            os.write(go, CONFINED)
            _be_first(server)
        # As after execve: the watch over limits reads what this process uses.
        _confine(order, SECOND, memory=SHOWN)
        if os.read(wait, 1) != CONFINED:
            raise OSError("process 1 is not confined")
        os.close(wait)
        os.close(go)
        os.write(KEPT_STATUS, CONFINED)
        os.close(KEPT_STATUS)
        _take_environment(order)
        return order.command[ARGUMENTS_OF_INTERPRETER:]
    except BaseException as error:  # noqa: BLE001 - whatever it is, no code of a server may run now
        text = f"The sandbox refuses to start a warm child: {error}.\n"
        os.write(2, text.encode("utf-8", "backslashreplace"))
        os._exit(launcher.REFUSED)


def _take_descriptors(given: list[int]) -> tuple[launcher.Order, mount_tree.View]:
    """Keep what is the server's, close all else, read what is asked for."""
    for number in (STDIN, STDOUT, STDERR):
        os.dup2(given[number], number)
    asked = json.loads(read_all(given[ORDER]))
    kept = given[ENVIRONMENT:]
    # High duplicates first: one of the places may hold another's original.
    high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, HIGH) for each in kept]
    for place, each in enumerate(high, KEPT_ENVIRONMENT):
        os.dup2(each, place, inheritable=False)
    os.closerange(KEPT_ENVIRONMENT + len(kept), launcher.EVERY_FD)
    order = launcher.parse(asked["options"])
    hands_over = len(given) > HANDOVER
    if not order.confine or order.keep or order.wraps or order.extra_processes:
        raise OSError("a fork cannot do all that is asked for")
    if bool(order.listen) is not hands_over:
        raise OSError("listeners and the socket to hand them over come together")
    return order, mount_tree.parse(asked["tree"])


def read_all(descriptor: int) -> bytes:
    """Return a file from its start; where others read does not matter."""
    text = b""
    while more := os.pread(descriptor, 65536, len(text)):
        text += more
    return text


def _enter(order: launcher.Order, view: mount_tree.View) -> None:
    """Go where the server lives, and become its user."""
    signal.set_wakeup_fd(-1)
    launcher.reset_signals(order)
    os.setsid()
    kernel.unshare(view.namespaces & ~(kernel.NEW_PROCESSES | kernel.NEW_USERS))
    if view.namespaces & kernel.NEW_NETWORK:
        kernel.raise_loopback()
        if order.listen:
            handover.offer(order.listen, KEPT_HANDOVER)
    elif order.listen:
        raise OSError("listeners need a network of its own")
    switches = mount_tree.enter(view, hide_switches=True)
    socket.sethostname(view.host_name)
    kernel.drop_bounding_set()
    # Last of the namespaces: it owns none of the others, so a right in it moves nothing.
    if view.namespaces & kernel.NEW_USERS:
        enter_user_namespace(view.uid, view.gid)
        _allow_no_more_of_them(switches)
        # A new user namespace starts with every capability.
        kernel.drop_bounding_set()
    os.close(switches)
    # Not before: the ceilings of a process count for all in a user namespace that it makes.
    launcher.limit(order)
    launcher.lower_priority()
    if order.uid is not None:
        launcher.shed_root(order.uid)
    if order.directory is not None:
        os.chdir(order.directory)


def enter_user_namespace(uid: int | None, gid: int | None) -> None:
    """Make one in which this user is `uid` and `gid`; as before when those are None."""
    own_uid, own_gid = os.getuid(), os.getgid()
    # Else the files of this process below /proc belong to root, and the maps cannot be written.
    kernel.prctl("opening the maps", kernel.PR_SET_DUMPABLE, 1)
    kernel.unshare(kernel.NEW_USERS)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{own_uid if uid is None else uid} {own_uid} 1")
    _write("/proc/self/gid_map", f"{own_gid if gid is None else gid} {own_gid} 1")


def _allow_no_more_of_them(switches: int) -> None:
    descriptor = os.open("user/max_user_namespaces", os.O_WRONLY | os.O_CLOEXEC, dir_fd=switches)
    try:
        os.write(descriptor, b"0")
    finally:
        os.close(descriptor)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _confine(order: launcher.Order, number: int, *, memory: int) -> None:
    """Take away all that was not granted, and look at what the kernel says of it.

    Both processes do it after their fork: in Landlock domains of their own, the server reaches
    process 1 no better than bubblewrap's.
    """
    kernel.prctl("setting who reads the memory", kernel.PR_SET_DUMPABLE, memory)
    launcher.confine(order)
    descriptor = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        lines = read_all(descriptor).decode("ascii", "replace").splitlines()
    finally:
        os.close(descriptor)
    seen = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    expected = {name: ["0" * 16] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    expected |= {"NoNewPrivs": ["1"], "Seccomp": ["2"], "Threads": ["1"]}
    for name, value in expected.items():
        if seen.get(name) != value:
            raise OSError(f"{name} is {seen.get(name)}")
    if "0" in seen["Uid"] or os.getpid() != number:
        raise OSError("it kept the rights of root or has no process numbers of its own")


def _be_first(server: int) -> NoReturn:
    """Reap what the namespace leaves behind, end as the server ends, hold nothing."""
    for number in launcher.WRAPPER_IGNORES:
        signal.signal(number, signal.SIG_IGN)
    os.closerange(0, launcher.EVERY_FD)
    while True:
        pid, status = os.wait()
        if pid == server:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _take_environment(order: launcher.Order) -> None:
    """Make this interpreter what a fresh one would be, with the server's own environment."""
    given = json.loads(read_all(KEPT_ENVIRONMENT))
    os.close(KEPT_ENVIRONMENT)
    os.environ.clear()
    os.environ.update(given)
    if order.directory is not None:
        os.environ["PWD"] = order.directory
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What a fresh interpreter ignores; at the default, one file too large would end a server.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _reopened(number, name, getattr(sys, f"__{name}__"))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _reopened(number: int, name: str, model: TextIO) -> TextIO:
    """Return a standard stream as the interpreter makes it at its start."""
    raw = io.FileIO(number, "r" if number == STDIN else "w", closefd=False)
    raw.name = f"<{name}>"
    binary = io.BufferedReader(raw) if number == STDIN else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        binary,
        encoding=model.encoding,
        errors=model.errors,
        newline="\n",
        line_buffering=number == STDERR,
    )
