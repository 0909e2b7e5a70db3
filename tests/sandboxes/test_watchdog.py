"""What a tree of real processes uses, as read from outside."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandboxes.limits import watchdog
from sandboxes.limits.unlinked import UnlinkedFiles
from sandboxes.policy import MIB

HOLD = """
import os, sys
kept = bytearray({size})
kept[::4096] = b"x" * len(kept[::4096])
{more}
os.write(1, b"ready\\n")
os.read(0, 1)
"""
UNLINKED = """
f = os.open({path!r}, os.O_RDWR | os.O_CREAT)
os.write(f, b"x" * (1 << 20))
os.unlink({path!r})
"""
MAPPED = """
import ctypes
call = ctypes.CDLL(None).mmap
call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
MAP_FIXED = 16
call(0x1000000, 1 << 20, 1, 1 | MAP_FIXED, f, 0)
os.close(f)
"""
FIRST_THREAD_ENDS = """
import threading
def last():
    while "Z" not in open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2]:
        pass
    os.write(1, b"ready\\n")
    os.read(0, 1)
    os._exit(0)
threading.Thread(target=last).start()
ctypes.CDLL(None).syscall(93 if os.uname().machine == "aarch64" else 60, 0)
"""
SENT = """
import socket
pair = socket.socketpair()
socket.send_fds(pair[0], [b"x"], [f, f])
os.close(f)
os.fork()
"""
LARGEST = 16 * MIB


@contextmanager
def holding(mebibytes: int, more: str = "", lines: int = 1) -> Generator[int]:
    """Run a process that holds memory until the body ends; yields its number."""
    code = HOLD.format(size=mebibytes * MIB, more=more)
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        for _ in range(lines):
            assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.stdin.close()


def tree_of(pid: int) -> watchdog.Tree:
    """Return one process's tree."""
    return watchdog.ProcessTable().trees([pid])[pid]


def test_a_tree_is_found_with_all_its_branches() -> None:
    """Ours: children and grandchildren, and nobody else."""
    with holding(1, "os.fork() or os.fork()", lines=3) as pid:
        found = tree_of(pid)
        assert len(found.pids) == 3 and pid in found.pids
        assert found.tasks == 3
        assert os.getpid() not in found.pids


def test_two_trees_are_told_apart_by_one_table_over_time() -> None:
    """Ours: what is remembered of foreign processes does not hide a later root."""
    table = watchdog.ProcessTable()
    with holding(1) as first, holding(1) as second:
        assert set(table.trees([first])) == {first}
        both = table.trees([first, second])
        assert (both[first].pids, both[second].pids) == ((first,), (second,))
    assert table.trees([first, second]) == {}


def test_memory_shared_after_a_fork_counts_once() -> None:
    """Ours: a warm-started or forking server is not punished for sharing."""
    with holding(64, "os.fork(); os.fork()", lines=4) as pid:
        found = tree_of(pid)
        assert found.resident_bytes > 4 * 64 * MIB
        assert 64 * MIB < watchdog.proportional_bytes(found.pids) < 128 * MIB


def test_memory_of_several_processes_adds_up() -> None:
    """Ours: limits of one process each do not bound their sum."""
    more = "os.fork(); again = bytearray(64 << 20); again[::4096] = b'x' * len(again[::4096])"
    with holding(1, more, lines=2) as pid:
        assert watchdog.proportional_bytes(tree_of(pid).pids) > 128 * MIB


def test_files_without_a_name_are_found_by_their_descriptors(tmp_path: Path) -> None:
    """Ours: a deleted file goes on taking space until it is closed."""
    more = UNLINKED.format(path=str(tmp_path / "hidden")) + "os.fork()"
    with holding(1, more, lines=2) as pid:
        assert UnlinkedFiles((), LARGEST).measure(tree_of(pid).pids, 0.0) == pytest.approx(
            MIB, rel=0.1
        )


@pytest.mark.parametrize("more", [MAPPED, MAPPED + FIRST_THREAD_ENDS], ids=["", "thread ended"])
def test_files_without_a_name_are_found_by_their_mappings(tmp_path: Path, more: str) -> None:
    """Ours: a closed file takes space while it is mapped; in other folders it is not theirs."""
    more = UNLINKED.format(path=str(tmp_path / "hidden")) + more
    with holding(1, more) as pid:
        pids = tree_of(pid).pids
        # The kernel lets root alone look at what is mapped.
        size = MIB if os.geteuid() == 0 else LARGEST
        assert UnlinkedFiles((tmp_path,), LARGEST).measure(pids, 0.0) == pytest.approx(
            size, rel=0.1
        )
        assert UnlinkedFiles((tmp_path / "other",), LARGEST).measure(pids, 0.0) == 0


def test_a_mapped_file_that_is_open_counts_once(tmp_path: Path) -> None:
    """Ours: mmap.mmap and most libraries keep the descriptor."""
    more = UNLINKED.format(path=str(tmp_path / "hid\rden")) + "import mmap; m = mmap.mmap(f, 4096)"
    with holding(1, more) as pid:
        files = UnlinkedFiles((tmp_path,), LARGEST)
        assert files.measure(tree_of(pid).pids, 0.0) == pytest.approx(MIB, rel=0.1)


def test_descriptors_that_stay_under_way_count_as_the_largest_file(tmp_path: Path) -> None:
    """Ours: nobody can look at them, and a first look may meet them on an ordinary way."""
    more = UNLINKED.format(path=str(tmp_path / "hidden")) + SENT
    with holding(1, more, lines=2) as pid:
        files, pids = UnlinkedFiles((tmp_path,), LARGEST), tree_of(pid).pids
        assert (files.measure(pids, 0.0), files.due(0.5)) == (0, True)
        assert files.measure(pids, 0.5) == 2 * LARGEST


def test_mappings_are_looked_at_now_and_then(tmp_path: Path) -> None:
    """Ours: they cost more than all else; none stays unseen because its process is quiet."""
    more = UNLINKED.format(path=str(tmp_path / "hidden")) + MAPPED
    with holding(1, more) as pid:
        files, pids = UnlinkedFiles((tmp_path,), LARGEST), tree_of(pid).pids
        assert files.measure((), 0.0) == 0 and not files.due(9.0)
        assert files.measure(pids, 0.5) == 0
        assert (files.due(1.0), files.due(2.0)) == (False, True)
        assert files.measure(pids, 2.0) > 0 and not files.due(9.0)


def test_processes_that_are_gone_count_nothing() -> None:
    """Ours: the table is read while it changes."""
    gone = [2**22 + 1]
    assert watchdog.proportional_bytes(gone) == UnlinkedFiles((), LARGEST).measure(gone, 0.0) == 0
    assert watchdog.ProcessTable().trees(gone) == {}
