"""The system call filter of a child: refuses odd kernel surface, namespaces and socket families.

Standard library only: runs inside the sandbox. Classic BPF as in seccomp(2).
"""

import ctypes
import errno
import os
import struct

from sandboxes import kernel

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

# Refused with EPERM. The numbers of calls that a machine does not have are left out of its table.
_X86_64 = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "pidfd_getfd": 438, "process_madvise": 440, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "keyctl": 250, "add_key": 248, "request_key": 249, "mount": 165,
    "umount2": 166, "pivot_root": 155, "chroot": 161, "move_mount": 429, "open_tree": 428,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "statmount": 457, "listmount": 458, "unshare": 272, "setns": 308, "bpf": 321,
    "perf_event_open": 298, "userfaultfd": 323, "kexec_load": 246, "kexec_file_load": 320,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169, "swapon": 167,
    "swapoff": 168, "acct": 163, "quotactl": 179, "quotactl_fd": 443, "settimeofday": 164,
    "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159, "sethostname": 170,
    "setdomainname": 171, "iopl": 172, "ioperm": 173, "modify_ldt": 154, "uselib": 134,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "fanotify_init": 300, "syslog": 103,
    "personality": 135, "vhangup": 153, "lookup_dcookie": 212, "mknod": 133, "mknodat": 259,
    "seccomp": 317, "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65,
    "semctl": 66, "semtimedop": 220, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71,
    "mq_open": 240, "mq_unlink": 241, "memfd_secret": 447,
}  # fmt: skip
_AARCH64 = {
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "pidfd_getfd": 438, "process_madvise": 440, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "keyctl": 219, "add_key": 217, "request_key": 218, "mount": 40,
    "umount2": 39, "pivot_root": 41, "chroot": 51, "move_mount": 429, "open_tree": 428,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "statmount": 457, "listmount": 458, "unshare": 97, "setns": 268, "bpf": 280,
    "perf_event_open": 241, "userfaultfd": 282, "kexec_load": 104, "kexec_file_load": 294,
    "init_module": 105, "finit_module": 273, "delete_module": 106, "reboot": 142, "swapon": 224,
    "swapoff": 225, "acct": 89, "quotactl": 60, "quotactl_fd": 443, "settimeofday": 170,
    "clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171, "sethostname": 161,
    "setdomainname": 162, "open_by_handle_at": 265, "name_to_handle_at": 264,
    "fanotify_init": 262, "syslog": 116, "personality": 92, "vhangup": 58, "lookup_dcookie": 18,
    "mknodat": 33, "seccomp": 277, "shmget": 194, "shmat": 196, "shmctl": 195, "semget": 190,
    "semop": 193, "semctl": 191, "semtimedop": 192, "msgget": 186, "msgsnd": 189, "msgrcv": 188,
    "msgctl": 187, "mq_open": 180, "mq_unlink": 181, "memfd_secret": 447,
}  # fmt: skip
# Refused unless the first argument, a process, is 0: the caller itself. Same-user processes
# could otherwise be starved: prlimit64, sched_setaffinity, _setscheduler, _setparam, _setattr.
_X86_64_SELF = (302, 203, 144, 142, 314)
_AARCH64_SELF = (261, 122, 119, 118, 274)


FIRST, SECOND, THIRD, FOURTH = 16, 24, 32, 40
"""Offsets of the low halves of a call's arguments (little endian)."""


class Machine:
    """The numbers that differ between processors."""

    def __init__(
        self,
        *,
        audit: int,
        refused: dict[str, int],
        only_self: tuple[int, ...],
        setpriority: int,
        clone: int,
        socket: int,
        socketpair: int,
        ioctl: int,
        prctl: int,
        memfd_create: int,
        sends: tuple[tuple[int, int], ...],
    ) -> None:
        self.audit = audit
        self.refused = refused
        self.only_self = only_self
        self.setpriority = setpriority
        self.clone = clone
        self.socket = socket
        self.socketpair = socketpair
        self.ioctl = ioctl
        self.prctl = prctl
        self.memfd_create = memfd_create
        self.sends = sends
        """sendto, sendmsg, sendmmsg, each with the offset of its flags."""


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        refused=_X86_64,
        only_self=_X86_64_SELF,
        setpriority=141,
        clone=56,
        socket=41,
        socketpair=53,
        ioctl=16,
        prctl=157,
        memfd_create=319,
        sends=((44, FOURTH), (46, THIRD), (307, FOURTH)),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        refused=_AARCH64,
        only_self=_AARCH64_SELF,
        setpriority=140,
        clone=220,
        socket=198,
        socketpair=199,
        ioctl=29,
        prctl=167,
        memfd_create=279,
        sends=((206, FOURTH), (211, THIRD), (269, FOURTH)),
    ),
}
CLONE3 = 435
FIRST_UNKNOWN = 467
"""Calls newer than those judged above do not exist for a child."""
X32_BIT = 0x40000000
NEW_NAMESPACES = 0x7E020000 | 0x80
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
SOCK_TYPE_MASK = 0xF
MSG_FASTOPEN = 0x20000000
"""Sends and connects at once, past Landlock's check of connecting."""
SECCOMP_MODE_FILTER = 2
PR_SET_DUMPABLE = 4

LOAD, AND, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
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


def program(machine: Machine, families: tuple[Family, ...]) -> bytes:
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
    made.when(
        machine.clone,
        [
            (LOAD, FIRST, 0, 0),
            (ANY_BIT, NEW_NAMESPACES, 0, 1),
            (RETURN, REFUSE, 0, 0),
            (RETURN, ALLOW, 0, 0),
        ],
    )
    made.when(
        machine.ioctl,
        [
            (LOAD, SECOND, 0, 0),
            (EQUAL, TIOCSTI, 1, 0),
            (EQUAL, TIOCLINUX, 0, 1),
            (RETURN, REFUSE, 0, 0),
            (RETURN, ALLOW, 0, 0),
        ],
    )
    for number in machine.only_self:
        made.when(number, [(LOAD, FIRST, 0, 0), *_ZERO_OR_REFUSED])
    # Which kind (0: a process) and whose.
    made.when(
        machine.setpriority,
        [
            (LOAD, FIRST, 0, 0),
            (EQUAL, 0, 1, 0),
            (RETURN, REFUSE, 0, 0),
            (LOAD, SECOND, 0, 0),
            *_ZERO_OR_REFUSED,
        ],
    )
    made.when(machine.socketpair, _socketpair())
    made.when(machine.socket, _socket(families))
    for number, offset in machine.sends:
        made.when(number, _flags(offset))
    made.add(RETURN, ALLOW)
    return b"".join(made.code)


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


def install(families: tuple[Family, ...]) -> None:
    """Filter this process and its descendants, for good. Needs no_new_privs.

    Raises:
        OSError: there is no table for this machine, or the kernel refuses.
    """
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(f"there is no system call table for {os.uname().machine}")
    code = program(machine, families)
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions))
    block = ctypes.create_string_buffer(header, len(header))
    kernel.prctl(
        "installing the system call filter",
        kernel.PR_SET_SECCOMP,
        SECCOMP_MODE_FILTER,
        ctypes.addressof(block),
    )
