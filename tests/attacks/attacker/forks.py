"""Attacks on what a process may have from the one it was forked from, and on that one."""

import ctypes
import fcntl
import mmap
import os
import random
import secrets
import signal
import ssl
import tempfile
import uuid

from arsenal import AARCH64, Blocked, attack, call, first, in_child, read, recognised

NS_GET_USERNS, NS_GET_PARENT = 0xB701, 0xB702
FORKED_FROM = 1
"""Process 1 of its namespaces; the machine's first one where there are none."""


@attack
def find_secrets_in_memory(t):
    # Before any other attack brings a secret near.
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            span, access = line.split()[:2]
            if access[0] != "r" or "[v" in line:
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(begin)
                text = memory.read(end - begin)
            except (OSError, OverflowError):
                continue
            if recognised(text, t["hint"]):
                return line
    raise Blocked("not there")


@attack
def share_writable_memory(t):
    shared = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            access = line.split()[1]
            if access[1] == "w" and access[3] == "s":
                shared.append(line.strip())
    if not shared:
        raise Blocked("none is shared")
    return shared


@attack
def inherit_timers(t):
    with open("/proc/self/timers") as file:
        left = [file.read(), *(signal.getitimer(n) for n in range(3))]
    if left == ["", (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]:
        raise Blocked("none runs")
    return left


@attack
def catch_signals_of_others(t):
    own = (signal.SIGINT, signal.SIGPIPE)
    fresh = (signal.SIG_DFL, signal.SIG_IGN)
    left = [n for n in signal.valid_signals() if signal.getsignal(n) not in fresh and n not in own]
    if not left:
        raise Blocked("none is caught")
    return left


@attack
def look_into_first_process(t):
    folder = f"/proc/{FORKED_FROM}"
    names = ("mem", "environ", "maps", "smaps", "auxv", "pagemap", "syscall", "io")
    tries = [lambda n=n: read(f"{folder}/{n}") for n in names]
    links = ("cwd", "exe", "ns/pid", "ns/user", *(f"fd/{n}" for n in range(16)))
    tries += [lambda n=n: os.readlink(f"{folder}/{n}") for n in links]
    tries += [lambda n=n: os.listdir(f"{folder}/{n}") for n in ("map_files", "root", "cwd")]
    return first(*tries)


@attack
def climb_out_of_namespaces(t):
    def climb(name, request):
        held = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
        above = fcntl.ioctl(held, request)
        return call(308, 268, above, 0)

    tries = [(n, NS_GET_USERNS) for n in ("pid", "user", "net", "mnt", "ipc", "uts", "cgroup")]
    tries += [("pid", NS_GET_PARENT), ("user", NS_GET_PARENT)]
    return first(*[lambda n=n, r=r: in_child(lambda: climb(n, r)) for n, r in tries])


@attack
def use_i386_calls(t):
    if AARCH64:
        raise Blocked("this processor has none")

    def action():
        # mov eax, 20 (getpid); int 0x80; ret
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        place = ctypes.addressof(ctypes.c_char.from_buffer(code))
        return ctypes.CFUNCTYPE(ctypes.c_int)(place)()

    return in_child(action)


def draw(arguments):
    """Return what nobody else may be able to guess or draw as well."""
    return {
        "random": random.getrandbits(128),
        "own generator": random.Random().getrandbits(128),
        "system": os.urandom(16).hex(),
        "secrets": secrets.token_hex(),
        "uuid4": uuid.uuid4().hex,
        "uuid1": uuid.uuid1().hex,
        "ssl": ssl.RAND_bytes(16).hex(),
        "temporary": os.path.basename(tempfile.mktemp()),
    }
