"""System calls that Python has no function for. Standard library only: runs inside the sandbox."""

import _socket
import ctypes
import os
import struct

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
NEW_MOUNTS = 0x00020000
NEW_CGROUP = 0x02000000
NEW_HOST_NAME = 0x04000000
NEW_IPC = 0x08000000
NEW_USERS = 0x10000000
NEW_PROCESSES = 0x20000000
NEW_NETWORK = 0x40000000
READ_ONLY, NO_SET_USER_ID, NO_DEVICES, NO_EXECUTION = 1, 2, 4, 8
"""The same bits for mount(2) and mount_setattr(2)."""
BIND, RECURSIVE, PRIVATE = 1 << 12, 1 << 14, 1 << 18
DETACH = 2
MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SET_INTERFACE_FLAGS, INTERFACE_UP = 0x8914, 1
"""netdevice(7)."""
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES = 64
"""More than any kernel has; the first unknown one answers EINVAL."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: object) -> int:
    """Call the kernel by number; `what` names the call in the OSError."""
    return _checked(_LIBC.syscall(ctypes.c_long(number), *arguments), what)


def prctl(what: str, option: int, *arguments: int) -> None:
    """Set an attribute of this process; `what` names it in the OSError."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    _checked(_LIBC.prctl(option, *(ctypes.c_ulong(value) for value in padded)), what)


def drop_bounding_set() -> None:
    """Give up every capability for this process and all it will ever execute.

    Raises:
        PermissionError: this process may not change its set.
    """
    prctl("clearing ambient capabilities", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(CAPABILITIES):
        try:
            prctl("dropping a capability", PR_CAPBSET_DROP, capability)
        except PermissionError:
            raise
        except OSError:
            return


def drop_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    empty = (ctypes.c_uint32 * 6)()
    _checked(_LIBC.capset(header, empty), "dropping capabilities")


def unshare(kinds: int) -> None:
    """Give this process namespaces of its own; a process namespace is for its next child."""
    _checked(_LIBC.unshare(kinds), "making namespaces")


def enter_namespace(descriptor: int, kind: int) -> None:
    """Go into a namespace; of a process namespace, this process's next child does."""
    _checked(_LIBC.setns(descriptor, kind), "entering a namespace")


def raise_loopback() -> None:
    """Switch the loopback interface of this process's own network on."""
    request = struct.pack("16sh14x", b"lo", INTERFACE_UP)
    asking = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        switch = ctypes.c_ulong(SET_INTERFACE_FLAGS)
        _checked(_LIBC.ioctl(asking.fileno(), switch, request), "switching the loopback on")
    finally:
        asking.close()


def mount(
    source: str, target: str, *, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    """Mount `source` on `target`, see mount(2)."""
    result = _LIBC.mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None if options is None else options.encode(),
    )
    _checked(result, f"mounting {source} on {target}")


def restrict_mount(path: str, attributes: int, *, recursive: bool) -> None:
    """Add attributes to a mount and, with `recursive`, to all below it (Linux 5.12)."""
    # A remount by mount(2) would change the topmost mount alone.
    change = struct.pack("<QQQQ", attributes, 0, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    what = f"restricting the mount {path}"
    size = ctypes.c_size_t(len(change))
    syscall(what, MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), flags, change, size)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and find the old one at `old`, see pivot_root(2)."""
    syscall("changing the root", PIVOT_ROOT[os.uname().machine], new.encode(), old.encode())


def detach(path: str) -> None:
    """Take a mount and all below it out of this mount namespace."""
    _checked(_LIBC.umount2(os.fsencode(path), DETACH), f"unmounting {path}")


def free_unused_memory() -> None:
    """Give back what the C library keeps for later."""
    _LIBC.malloc_trim(ctypes.c_size_t(0))
