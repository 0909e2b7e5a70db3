"""Disk space of files that no folder names any more and that processes of a child still hold.

They hold them by descriptors, by mappings, or by descriptors under way between their own sockets.
Blocking; above: the supervisor's watch.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandboxes.limits import watchdog

DELETED = b" (deleted)"
"""How the kernel ends the name of a mapped file that has none any more (proc_pid_maps(5))."""
UNDER_WAY = b"scm_fds:"
MAPPINGS_EVERY_S = 1.5
"""To read the mappings of one process takes up to half a millisecond; what they hide must be found
within 2 s."""
BLOCK_BYTES = 512
"""The unit of st_blocks, whatever the file system (stat(2))."""

_File = tuple[int, int]
"""Device and inode."""
NO_DEVICE = -1


@dataclass(frozen=True, slots=True)
class _Mapping:
    """A mapped part of a file in the memory of a process."""

    pid: int
    begin: int
    """Addresses."""
    end: int
    offset: int
    """Where in the file it begins."""
    inode: int


class UnlinkedFiles:
    """Measures those of one child again and again."""

    def __init__(self, folders: Iterable[Path], file_bytes: int) -> None:
        """`folders`: where mapped files count; `file_bytes`: how large one file may be."""
        self._folders = tuple(folders)
        self._file_bytes = file_bytes
        self._under_way: dict[int, int] = {}
        self._settled = True
        """False: only another look can tell whether what is under way stays there."""
        self._mappings_seen = True
        self._mappings_from_s = 0.0

    def due(self, now_s: float) -> bool:
        """Return whether another look can tell more, even if the child does nothing meanwhile."""
        return not self._settled or (not self._mappings_seen and now_s >= self._mappings_from_s)

    def measure(self, pids: Iterable[int], now_s: float) -> int:
        """Return their space in bytes; each file counts once. `now_s`: monotonic.

        What cannot be looked at counts as large as a file may be: a mapped file where the kernel
        asks for root, and a descriptor under way, once it was in the same socket a look before.
        """
        pids = tuple(pids)
        sizes: dict[_File, int] = {}
        under_way: dict[int, int] = {}
        for pid in pids:
            _look_at_descriptors(pid, sizes, under_way)
        self._mappings_seen = now_s >= self._mappings_from_s
        if self._mappings_seen:
            self._mappings_from_s = now_s + MAPPINGS_EVERY_S
            for pid in pids:
                self._look_at_mappings(pid, sizes)
        stayed = sum(min(self._under_way.get(each, 0), n) for each, n in under_way.items())
        self._under_way, self._settled = under_way, stayed == sum(under_way.values())
        return sum(sizes.values()) + stayed * self._file_bytes

    def _look_at_mappings(self, pid: int, sizes: dict[_File, int]) -> None:
        text = watchdog.read_all(f"/proc/{pid}/maps")
        if not text:
            # A thread has the folder of mapped files under its own number alone.
            pid = int(watchdog.living(pid).rpartition("/")[2])
            text = watchdog.read_all(f"/proc/{pid}/maps")
        if DELETED not in text:
            return
        places = tuple(os.fsencode(place) + b"/" for place in self._places())
        # A name may hold any other end of line; this one the kernel writes otherwise.
        for line in text.split(b"\n"):
            if line.endswith(DELETED):
                addresses, _, offset, _, inode, path = line.split(maxsplit=5)
                # A library that an upgrade replaced is no file of the child's.
                if path.startswith(places):
                    begin, end = (int(each, 16) for each in addresses.split(b"-"))
                    mapping = _Mapping(pid, begin, end, int(offset, 16), int(inode))
                    self._count_mapping(mapping, sizes)

    def _count_mapping(self, mapping: _Mapping, sizes: dict[_File, int]) -> None:
        # Without the zeros that `maps` puts before low addresses.
        name = f"{mapping.begin:x}-{mapping.end:x}"
        try:
            status = os.stat(f"/proc/{mapping.pid}/map_files/{name}")  # noqa: PTH116
        except PermissionError:
            # Some file systems tell mappings another device than stat: inodes must do.
            if any((_device(folder), mapping.inode) in sizes for folder in self._folders):
                return
            key = (NO_DEVICE, mapping.inode)
            seen_to = mapping.offset + mapping.end - mapping.begin
            sizes[key] = max(sizes.get(key, 0), self._file_bytes, seen_to)
        except OSError:
            return
        else:
            _count(status, sizes)

    def _places(self) -> Iterator[str]:
        """Return how the folders are called inside a mount tree, and outside of one."""
        for folder in self._folders:
            yield str(folder)
            yield os.path.realpath(folder)


def _look_at_descriptors(pid: int, sizes: dict[_File, int], under_way: dict[int, int]) -> None:
    """Add the unlinked files among them, and what waits in each socket."""
    place = f"/proc/{pid}"
    try:
        names = os.listdir(f"{place}/fd")  # noqa: PTH208
        if not names:
            place = watchdog.living(pid)
            names = os.listdir(f"{place}/fd")  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            status = os.stat(f"{place}/fd/{name}")  # noqa: PTH116
        except OSError:
            continue
        if stat.S_ISSOCK(status.st_mode) and status.st_ino not in under_way:
            waiting = watchdog.field(watchdog.read(f"{place}/fdinfo/{name}"), UNDER_WAY)
            if waiting:
                under_way[status.st_ino] = waiting
        else:
            _count(status, sizes)


def _count(status: os.stat_result, sizes: dict[_File, int]) -> None:
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
        sizes[(status.st_dev, status.st_ino)] = status.st_blocks * BLOCK_BYTES


def _device(folder: Path) -> int:
    try:
        return folder.stat().st_dev
    except OSError:
        return NO_DEVICE
