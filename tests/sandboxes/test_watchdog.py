"""What a tree of real processes uses, as read from outside."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandboxes import watchdog
from sandboxes.policy import MIB

HOLD = """
import os, sys
kept = bytearray({size})
kept[::4096] = b"x" * len(kept[::4096])
{more}
os.write(1, b"ready\\n")
os.read(0, 1)
"""


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
    path = str(tmp_path / "hidden")
    more = (
        f"f = os.open({path!r}, os.O_RDWR | os.O_CREAT); os.write(f, b'x' * (1 << 20)); "
        f"os.unlink({path!r}); os.fork()"
    )
    with holding(1, more, lines=2) as pid:
        assert watchdog.unlinked_bytes(tree_of(pid).pids) == pytest.approx(1 << 20, rel=0.1)


def test_processes_that_are_gone_count_nothing() -> None:
    """Ours: the table is read while it changes."""
    gone = [2**22 + 1]
    assert watchdog.proportional_bytes(gone) == watchdog.unlinked_bytes(gone) == 0
    assert watchdog.ProcessTable().trees(gone) == {}
