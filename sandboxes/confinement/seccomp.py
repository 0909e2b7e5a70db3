"""The system call filter of a child: refuses odd kernel surface, namespaces and socket families.

Standard library only: runs inside the sandbox. Classic BPF as in seccomp(2).
"""

import ctypes
import errno
import os
import struct

from sandboxes.confinement import kernel
from sandboxes.confinement.machines import FIRST, MACHINES, SECOND, THIRD, Machine

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_STREAM, SOCK_DGRAM = 1, 2
NETLINK_ROUTE = 0
FIRST_ODD_PROTOCOL = 256
"""SMC and Multipath TCP: they reach TCP ports, and Landlock's rules for TCP do not see them."""


class Family:
    """A socket family that may be opened, of one type or all, with protocols below a number."""

    def __init__(self, number: int, *, below: int, only_type: int | None = None) -> None:
        self.number = number
        self.below = below
        self.only_type = only_type


PROXY = (Family(AF_INET, only_type=SOCK_STREAM, below=FIRST_ODD_PROTOCOL),)
UNIX = (Family(AF_UNIX, only_type=SOCK_STREAM, below=AF_UNIX + 1),)
INTERNET = (
    Family(AF_INET, below=FIRST_ODD_PROTOCOL),
    Family(AF_INET6, below=FIRST_ODD_PROTOCOL),
    # The resolver lists addresses by netlink; every other netlink protocol is closed.
    Family(AF_NETLINK, below=NETLINK_ROUTE + 1),
)

CLONE3, CLOSE_RANGE = 435, 436
FIRST_UNKNOWN = 467
"""Calls newer than those judged above do not exist for a child."""
X32_BIT = 0x40000000
NEW_NAMESPACES = 0x7E020000 | 0x80
THREAD, SHARES_FILES = 0x00010000, 0x00000400
CLOSE_RANGE_UNSHARE = 2
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
IOCTL_KIND = 0xFF00
FILE_KINDS = (0x6600, 0x5800, 0x7600)
"""Requests that change flags, versions and sealing of a file that is open to read (linux/fs.h)."""
PROCESS = (0, 1)
"""How setpriority and ioprio_set call a single process."""
SOCK_TYPE_MASK = 0xF
MSG_FASTOPEN = 0x20000000
"""Sends and connects at once, past Landlock's check of connecting."""
SECCOMP_MODE_FILTER = 2
PR_SET_DUMPABLE = 4

LOAD, AND, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
EXHAUSTED = 0x00050000 | errno.EMFILE
NUMBER, ARCHITECTURE = 0, 4


_ZERO_OR_REFUSED = [(EQUAL, 0, 0, 1), (RETURN, ALLOW, 0, 0), (RETURN, REFUSE, 0, 0)]


class Program:
    """A growing list of BPF instructions."""

    def __init__(self) -> None:
        self.code: list[bytes] = []

    def add(self, operation: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        """Append one instruction; jumps count instructions to skip."""
        self.code.append(struct.pack("<HBBI", operation, if_true, if_false, value))

    def when(self, number: int, body: list[tuple[int, int, int, int]]) -> None:
        """Run `body`, which must end in a return, for one system call."""
        self.add(EQUAL, number, 0, len(body))
        for instruction in body:
            self.add(*instruction)


class Sharing:
    """What a child has in common with the gateway and with its neighbours."""

    def __init__(self, *, user: bool = False, files: bool = False) -> None:
        self.user = user
        """It runs as the gateway's own user."""
        self.files = files
        """It has no mount tree of its own: only Landlock keeps it from files of others."""


def program(machine: Machine, families: tuple[Family, ...], sharing: Sharing) -> bytes:
    """Return the filter; `families` are those that socket() may open."""
    made = Program()
    made.add(LOAD, ARCHITECTURE)
    made.add(EQUAL, machine.audit, 1, 0)
    made.add(RETURN, KILL)
    made.add(LOAD, NUMBER)
    made.add(AT_LEAST, X32_BIT, 0, 1)
    made.add(RETURN, KILL)
    made.add(AT_LEAST, FIRST_UNKNOWN, 0, 1)
    made.add(RETURN, ABSENT)
    for number in sorted(machine.refused.values()):
        made.when(number, [(RETURN, REFUSE, 0, 0)])
    # clone3 keeps its flags in memory, out of a filter's sight; ENOSYS makes libc use clone.
    made.when(CLONE3, [(RETURN, ABSENT, 0, 0)])
    # Its pages belong to no folder and, unmapped, to no process: no limit of ours would count them.
    made.when(machine.memfd_create, [(RETURN, ABSENT, 0, 0)])
    # Who is not dumpable hides its memory and open files from the watch over its limits.
    made.when(
        machine.prctl,
        [
            (LOAD, FIRST, 0, 0),
            (EQUAL, PR_SET_DUMPABLE, 0, 1),
            (RETURN, REFUSE, 0, 0),
            (RETURN, ALLOW, 0, 0),
        ],
    )
    made.when(machine.clone, _clone())
    # The open files of a thread that shares them with no other are in nobody's list of files.
    made.when(
        CLOSE_RANGE,
        [
            (LOAD, THIRD, 0, 0),
            (ANY_BIT, CLOSE_RANGE_UNSHARE, 0, 1),
            (RETURN, REFUSE, 0, 0),
            (RETURN, ALLOW, 0, 0),
        ],
    )
    made.when(machine.ioctl, _ioctl(FILE_KINDS if sharing.user and sharing.files else ()))
    for number in machine.only_self:
        made.when(number, [(LOAD, FIRST, 0, 0), *_ZERO_OR_REFUSED])
    for number, process in zip(machine.priorities, PROCESS, strict=True):
        made.when(
            number,
            [
                (LOAD, FIRST, 0, 0),
                (EQUAL, process, 1, 0),
                (RETURN, REFUSE, 0, 0),
                (LOAD, SECOND, 0, 0),
                *_ZERO_OR_REFUSED,
            ],
        )
    if sharing.user and sharing.files:
        for number in sorted(machine.attributes.values()):
            made.when(number, [(RETURN, REFUSE, 0, 0)])
    # Landlock lets every file be watched, and all processes of a user share its 128 instances.
    if sharing.user or sharing.files:
        for number in machine.inotify:
            made.when(number, [(RETURN, EXHAUSTED, 0, 0)])
    made.when(machine.socketpair, _socketpair())
    made.when(machine.socket, _socket(families))
    for number, offset in machine.sends:
        made.when(number, _flags(offset))
    made.add(RETURN, ALLOW)
    return b"".join(made.code)


def _clone() -> list[tuple[int, int, int, int]]:
    # A thread with open files of its own would hide them from the watch, as above.
    return [
        (LOAD, FIRST, 0, 0),
        (ANY_BIT, NEW_NAMESPACES, 0, 1),
        (RETURN, REFUSE, 0, 0),
        (ANY_BIT, THREAD, 0, 2),
        (ANY_BIT, SHARES_FILES, 1, 0),
        (RETURN, REFUSE, 0, 0),
        (RETURN, ALLOW, 0, 0),
    ]


def _ioctl(refused_kinds: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    body = [(LOAD, SECOND, 0, 0)]
    for request in (TIOCSTI, TIOCLINUX):
        body += [(EQUAL, request, 0, 1), (RETURN, REFUSE, 0, 0)]
    body += [(AND, IOCTL_KIND, 0, 0)]
    for kind in refused_kinds:
        body += [(EQUAL, kind, 0, 1), (RETURN, REFUSE, 0, 0)]
    return [*body, (RETURN, ALLOW, 0, 0)]


def _socketpair() -> list[tuple[int, int, int, int]]:
    # A datagram pair is refused: its ends can still be sent to any named socket of the machine.
    return [
        (LOAD, FIRST, 0, 0),
        (EQUAL, AF_UNIX, 1, 0),
        (RETURN, REFUSE, 0, 0),
        (LOAD, SECOND, 0, 0),
        (AND, SOCK_TYPE_MASK, 0, 0),
        (EQUAL, SOCK_DGRAM, 0, 1),
        (RETURN, REFUSE, 0, 0),
        (RETURN, ALLOW, 0, 0),
    ]


def _socket(families: tuple[Family, ...]) -> list[tuple[int, int, int, int]]:
    body = [(LOAD, FIRST, 0, 0)]
    for family in families:
        checks = _checks(family)
        body += [(EQUAL, family.number, 0, len(checks)), *checks]
    return [*body, (RETURN, REFUSE, 0, 0)]


def _checks(family: Family) -> list[tuple[int, int, int, int]]:
    checks: list[tuple[int, int, int, int]] = []
    if family.only_type is not None:
        checks += [
            (LOAD, SECOND, 0, 0),
            (AND, SOCK_TYPE_MASK, 0, 0),
            (EQUAL, family.only_type, 1, 0),
            (RETURN, REFUSE, 0, 0),
        ]
    return [
        *checks,
        (LOAD, THIRD, 0, 0),
        (AT_LEAST, family.below, 0, 1),
        (RETURN, REFUSE, 0, 0),
        (RETURN, ALLOW, 0, 0),
    ]


def _flags(offset: int) -> list[tuple[int, int, int, int]]:
    return [
        (LOAD, offset, 0, 0),
        (ANY_BIT, MSG_FASTOPEN, 0, 1),
        (RETURN, REFUSE, 0, 0),
        (RETURN, ALLOW, 0, 0),
    ]


def install(families: tuple[Family, ...], sharing: Sharing) -> None:
    """Filter this process and its descendants, for good. Needs no_new_privs.

    Raises:
        OSError: there is no table for this machine, or the kernel refuses.
    """
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(f"there is no system call table for {os.uname().machine}")
    code = program(machine, families, sharing)
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions))
    block = ctypes.create_string_buffer(header, len(header))
    kernel.prctl(
        "installing the system call filter",
        kernel.PR_SET_SECCOMP,
        SECCOMP_MODE_FILTER,
        ctypes.addressof(block),
    )
