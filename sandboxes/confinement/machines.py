"""The numbers of system calls that the filter of `seccomp` judges, for each processor.

Standard library only: runs inside the sandbox.
"""

FIRST, SECOND, THIRD, FOURTH = 16, 24, 32, 40
"""Offsets of the low halves of a call's arguments (little endian)."""

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
# What Landlock has no right for: mode, owner, times and extended attributes of files.
_X86_64_ATTRIBUTES = {
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93,
    "lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235, "futimesat": 261,
    "utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "setxattrat": 463,
    "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "removexattrat": 466,
}  # fmt: skip
_AARCH64_ATTRIBUTES = {
    "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchown": 55, "fchownat": 54,
    "utimensat": 88, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "setxattrat": 463,
    "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "removexattrat": 466,
}  # fmt: skip


class Machine:
    """The numbers that differ between processors."""

    def __init__(
        self,
        *,
        audit: int,
        refused: dict[str, int],
        only_self: tuple[int, ...],
        attributes: dict[str, int],
        priorities: tuple[int, int],
        inotify: tuple[int, ...],
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
        self.attributes = attributes
        self.priorities = priorities
        """setpriority, ioprio_set: which kind, then whose."""
        self.inotify = inotify
        """Those that make an instance."""
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
        attributes=_X86_64_ATTRIBUTES,
        priorities=(141, 251),
        inotify=(253, 294),
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
        attributes=_AARCH64_ATTRIBUTES,
        priorities=(140, 30),
        inotify=(26,),
        clone=220,
        socket=198,
        socketpair=199,
        ioctl=29,
        prctl=167,
        memfd_create=279,
        sends=((206, FOURTH), (211, THIRD), (269, FOURTH)),
    ),
}
