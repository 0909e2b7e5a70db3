"""What the processes of each child use together, read from /proc: all children in one pass.

A child's processes are its tree by parents: under `strong` orphans fall to the namespace's first
process, under `reduced` to the keeper, so that none leaves its tree. Blocking; above: the
supervisor's watch.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
KIB = 1024
MAX_READ = 4096
"""More than `stat`, `status` and `smaps_rollup` of a process take."""
SAMPLES_PER_FULL_PASS = 5
"""How many passes trust that a process of somebody else stays that. A number is used again only
after all others, so in these moments the same number is the same process."""
STATE_FIELDS = 22
ENDED = b"Z"


def available() -> bool:
    """Return whether this machine tells of its processes."""
    return os.access("/proc/self/stat", os.R_OK)


@dataclass(frozen=True, slots=True)
class Tree:
    """The processes below and with one child; memory counts shared pages once per process."""

    pids: tuple[int, ...]
    tasks: int
    resident_bytes: int
    cpu_ticks: int
    """Processor time of the living and of those they have waited for."""


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    tasks: int
    resident_bytes: int
    cpu_ticks: int


class ProcessTable:
    """Reads /proc again and again, and remembers which processes are nobody's."""

    def __init__(self) -> None:
        self._foreign: set[int] = set()
        self._roots: frozenset[int] = frozenset()
        self._passes = 0

    def trees(self, roots: Collection[int]) -> dict[int, Tree]:
        """Return the tree of each of these processes; of one that is gone there is none."""
        self._passes += 1
        if frozenset(roots) != self._roots or self._passes % SAMPLES_PER_FULL_PASS == 0:
            self._roots = frozenset(roots)
            self._foreign.clear()
        found = {process.pid: process for process in self._read()}
        members: dict[int, list[_Process]] = {}
        owners: dict[int, int] = {root: root for root in self._roots}
        for process in found.values():
            owner = _owner(process.pid, found, owners)
            if owner:
                members.setdefault(owner, []).append(process)
            else:
                self._foreign.add(process.pid)
        return {root: _tree(processes) for root, processes in members.items()}

    def _read(self) -> Iterator[_Process]:
        for name in os.listdir("/proc"):  # noqa: PTH208 - runs four times a second; as below
            if name.isdigit() and int(name) not in self._foreign:
                process = _read_process(int(name))
                if process is not None:
                    yield process


def _owner(pid: int, found: dict[int, _Process], owners: dict[int, int]) -> int:
    """Return the root above a process, 0 when there is none; remembers it for the whole path."""
    path: list[int] = []
    while pid not in owners:
        path.append(pid)
        process = found.get(pid)
        # The table is read while it changes: a loop of reused numbers must end as well.
        if process is None or process.parent in path:
            owners[pid] = 0
            break
        pid = process.parent
    owner = owners[pid]
    owners.update(dict.fromkeys(path, owner))
    return owner


def _tree(processes: Iterable[_Process]) -> Tree:
    members = tuple(processes)
    return Tree(
        pids=tuple(process.pid for process in members),
        tasks=sum(process.tasks for process in members),
        resident_bytes=sum(process.resident_bytes for process in members),
        cpu_ticks=sum(process.cpu_ticks for process in members),
    )


def _read_process(pid: int) -> _Process | None:
    # proc_pid_stat(5); a name may hold spaces and brackets, so fields count from its last bracket.
    text = read(f"/proc/{pid}/stat")
    fields = text.rpartition(b")")[2].split()
    if len(fields) < STATE_FIELDS:
        return None
    if fields[0] == ENDED and int(fields[17]) > 1:
        # All but the numbers of the whole process went with its first thread.
        resident = read(f"{living(pid)}/stat").rpartition(b")")[2].split()
        fields[21] = resident[21] if len(resident) >= STATE_FIELDS else b"0"
    return _Process(
        pid=pid,
        parent=int(fields[1]),
        tasks=int(fields[17]),
        resident_bytes=int(fields[21]) * PAGE_BYTES,
        cpu_ticks=sum(int(field) for field in fields[11:15]),
    )


def living(pid: int) -> str:
    """Return the folder of a thread that lives; the first one may end before the others.

    What they share, memory and open files, is told in their folders then, and not in its own.
    """
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            place = f"/proc/{pid}/task/{name}"
            if read(f"{place}/stat").rpartition(b")")[2].split()[:1] not in ([], [ENDED]):
                return place
    return f"/proc/{pid}"


def proportional_bytes(pids: Iterable[int]) -> int:
    """Return the memory of processes with each shared page counted once, swap included.

    Where the kernel does not tell, the largest share of mapped files stands for all of them.
    """
    total = files = 0
    for pid in pids:
        text = read(f"/proc/{pid}/smaps_rollup") or read(f"{living(pid)}/smaps_rollup")
        if text:
            total += field(text, b"Pss:") + field(text, b"SwapPss:")
            continue
        text = read(f"{living(pid)}/status")
        total += sum(field(text, name) for name in (b"RssAnon:", b"RssShmem:", b"VmSwap:"))
        files = max(files, field(text, b"RssFile:"))
    return (total + files) * KIB


def read(path: str) -> bytes:
    """Return the start of a file below /proc; nothing when the process is gone or closed to us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, MAX_READ)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def read_all(path: str) -> bytes:
    """Return the whole of a file below /proc; nothing when the process is gone or closed to us."""
    try:
        with open(path, "rb", 0) as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""


def field(text: bytes, name: bytes) -> int:
    """Return the number on the line that begins with a name, 0 when there is none."""
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
