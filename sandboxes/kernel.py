"""System calls that Python has no function for. Standard library only: runs inside the sandbox."""

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
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
