"""What an attack is, and how its outcome is judged. Standard library only: runs inside."""

import ctypes
import errno
import hashlib
import os
import re

ATTACKS = {}
BOMBS = {}
REFUSALS = {
    errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOENT, errno.ESRCH, errno.EROFS, errno.EXDEV,
    errno.ENETUNREACH, errno.ENXIO, errno.EAFNOSUPPORT,
}  # fmt: skip
"""What a fence answers. Any other error means that the kernel looked at the request itself."""
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
AARCH64 = os.uname().machine == "aarch64"


class Limited(Exception):
    """The attack got something, and met its limit."""


class Blocked(Exception):
    """The attack got nothing, without any error."""


def attack(function):
    """Register an attack: returns what it got, or raises."""
    ATTACKS[function.__name__] = function
    return function


def bomb(function):
    """Register an attack on resources; it may cost its server's life."""
    BOMBS[function.__name__] = function
    return function


def judge(name, targets):
    """Run an attack; return (verdict, what it got or met)."""
    try:
        got = {**ATTACKS, **BOMBS}[name](targets)
    except Limited as error:
        return "limited", str(error)
    except Blocked as error:
        return "blocked", str(error)
    except OSError as error:
        code = errno.errorcode.get(error.errno, str(error))
        return ("blocked", code) if error.errno in REFUSALS else ("escaped", f"reached: {code}")
    return "escaped", str(got)[:200]


def first(*actions):
    """Return what the first successful action got; raise the last refusal if none succeeds."""
    last = Blocked("nothing to try")
    for action in actions:
        try:
            return action()
        except OSError as error:
            if error.errno not in REFUSALS:
                raise
            last = error
    raise last


def read(path):
    """Return the beginning of a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, 64)
    finally:
        os.close(descriptor)


def recognised(text, hint):
    """Whether a secret is in there; the attacker knows its beginning, its length and its hash."""
    rest = hint["length"] - len(hint["begins"])
    pattern = re.escape(hint["begins"].encode()) + b"[A-Za-z0-9_-]{%d}" % rest
    found = {hashlib.sha256(match).hexdigest() for match in re.findall(pattern, text)}
    return hint["digest"] in found


def plant(path):
    """Make a file; nothing of it stays."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)
    return f"made {path}"


def call(x86_64, aarch64, *arguments):
    """Call the kernel by number."""
    result = LIBC.syscall(ctypes.c_long(aarch64 if AARCH64 else x86_64), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def in_child(action):
    """Run an action in a process of its own: what it gets cannot hurt the attacker."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = f"0 {action()}"
        except OSError as error:
            text = f"{error.errno} refused"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    text = os.read(reading, 4096).decode()
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if not text:
        raise Blocked(f"ended with status {status}")
    number, _, got = text.partition(" ")
    if number != "0":
        raise OSError(int(number), got)
    return got
