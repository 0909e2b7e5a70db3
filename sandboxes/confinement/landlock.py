"""Landlock: the kernel's file, TCP and signal fence that a process puts around itself.

Standard library only: runs inside the sandbox. See landlock(7) and the kernel's
Documentation/userspace-api/landlock.rst.
"""

import ctypes
import os
import struct
from collections.abc import Collection, Iterable

from sandboxes.confinement import kernel

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH, RULE_NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READING = EXECUTE | READ_FILE | READ_DIR
NET_BIND_TCP, NET_CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_UNIX, SCOPE_SIGNAL = 1, 2

FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
NEWEST_FILE_RIGHTS = 16
ABI_WITH_NET = 4
PORTS = 65_536
ABI_WITH_SCOPES = 6


def abi() -> int:
    """Return the version of Landlock that the kernel offers; 0 when there is none."""
    try:
        return kernel.syscall(
            "landlock", CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION
        )
    except OSError:
        return 0


def _attributes(version: int, rights: int, net: int) -> bytes:
    if version < ABI_WITH_NET:
        return struct.pack("<Q", rights)
    if version < ABI_WITH_SCOPES:
        return struct.pack("<QQ", rights, net)
    return struct.pack("<QQQ", rights, net, SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(f"/proc/self/fd/{target}"):  # noqa: PTH112 - pathlib costs 10 ms here
            rights &= ON_FILES
        rule = struct.pack("<Qi", rights, target)
        kernel.syscall(f"landlock rule for {path}", ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(target)


def _connect(ruleset: int, ports: Iterable[int]) -> None:
    # One call is made up to 65536 times, so its arguments are made once.
    rule = (ctypes.c_uint64 * 2)(NET_CONNECT_TCP, 0)
    place = ctypes.byref(rule)
    for port in ports:
        rule[1] = port
        kernel.syscall("landlock rule for a port", ADD_RULE, ruleset, RULE_NET_PORT, place, 0)


def close_ports(closed: Collection[int]) -> None:
    """Keep this process and its descendants from connecting to these TCP ports, for good.

    Files stay as they were, so that mounts go on working. Needs Landlock version 4 and the right
    to administer this user namespace; nothing happens below that version.
    """
    if abi() < ABI_WITH_NET:
        return
    attributes = struct.pack("<QQ", 0, NET_CONNECT_TCP)
    ruleset = kernel.syscall(
        "landlock", CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0
    )
    # The kernel knows no rule that closes a port, so all others are opened: 0.3 s.
    _connect(ruleset, (port for port in range(PORTS) if port not in closed))
    kernel.syscall("landlock", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def restrict(
    *,
    minimum: int,
    read: list[str],
    write: list[str],
    devices: list[str],
    deny_tcp: bool,
    connect: Collection[int] = (),
    closed: Collection[int] = (),
) -> None:
    """Fence this process and its descendants in, for good.

    `read` may be read and executed; `write` may be changed but not executed; `devices` are
    nodes to read and write. Paths that do not exist are skipped. With `deny_tcp` the only TCP
    is connecting to the ports in `connect`; without it every port but those in `closed` can be
    connected to. Ports need version 4 and are skipped below it. Needs no_new_privs.

    Raises:
        OSError: the kernel offers less than version `minimum`, or refuses.
    """
    version = abi()
    if version < minimum:
        raise OSError(f"Landlock version {version} is below {minimum}")
    handled = (1 << FILE_RIGHTS_BY_ABI.get(version, NEWEST_FILE_RIGHTS)) - 1
    net = 0
    if deny_tcp:
        net = NET_BIND_TCP | NET_CONNECT_TCP
    elif closed:
        net = NET_CONNECT_TCP
    attributes = _attributes(version, handled, net)
    ruleset = kernel.syscall(
        "landlock", CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0
    )
    changing = handled & ~(EXECUTE | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)
    for path in read:
        _allow(ruleset, path, READING)
    for path in write:
        _allow(ruleset, path, changing)
    for path in devices:
        _allow(ruleset, path, (READ_FILE | WRITE_FILE | IOCTL_DEV) & handled)
    if net and version >= ABI_WITH_NET:
        # The kernel knows no rule that closes a port, so all others are opened: 0.3 s.
        ports = connect if deny_tcp else (port for port in range(PORTS) if port not in closed)
        _connect(ruleset, ports)
    kernel.syscall("landlock", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
