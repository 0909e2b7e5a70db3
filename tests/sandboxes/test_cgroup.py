"""What is written where, on a folder laid out like a delegated cgroup v2 tree.

No machine of ours hands one over, so that what the kernel makes of it is not tested.
"""

import os
from pathlib import Path

import pytest

from sandboxes.limits.cgroup import Cgroups, find_delegated, missing
from sandboxes.policy import MIB, Limits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A group with two processes, and what an earlier gateway left in it."""
    root = tmp_path / "system.slice" / "runner.service"
    (root / "server-old.1.7").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpuset cpu io memory pids\n", "utf-8")
    (root / "cgroup.subtree_control").write_text("", "utf-8")
    (root / "cgroup.procs").write_text("100\n101\n", "utf-8")
    return root


def texts(folder: Path) -> dict[str, str]:
    """Return what stands in the files of a group."""
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}


def test_the_gateway_moves_down_and_a_child_gets_its_ceilings(root: Path) -> None:
    """Issue 3, 3: memory.max, memory.oom.group, pids.max, cpu.weight and cpu.max."""
    groups = Cgroups(root)
    assert texts(root / "gateway") == {"cgroup.procs": "101"}
    assert texts(root)["cgroup.subtree_control"] == "+cpu +memory +pids"
    groups.add("mail.2.55", Limits(memory_bytes=800 * MIB, processes=100, cpu=1.5))
    groups.move("mail.2.55", [55])
    assert texts(root / "server-mail.2.55") == {
        "memory.max": str(900 * MIB),
        "memory.oom.group": "1",
        "pids.max": "116",
        "cpu.weight": "50",
        "cpu.max": "150000 100000",
        "cgroup.procs": "55",
    }


def test_without_a_processor_limit_there_is_only_a_smaller_share(root: Path) -> None:
    """Ours: a ceiling is asked for, a share is always given."""
    Cgroups(root).add("plain.1.5", Limits())
    assert "cpu.max" not in texts(root / "server-plain.1.5")


def test_groups_of_children_that_are_gone_are_killed_and_removed(root: Path) -> None:
    """Ours: also those that an earlier gateway left; one that is busy goes the next time."""
    left = root / "server-old.1.7"
    # The kernel's files go with a group; those of a plain folder stand in the way like a process.
    groups = Cgroups(root)
    assert texts(left) == {"cgroup.kill": "1"}
    (root / "server-mail.1.5").mkdir()
    (left / "cgroup.kill").unlink()
    left.rmdir()
    groups.sweep(keep=["mail.1.5"])
    assert sorted(path.name for path in root.glob("server-*")) == ["server-mail.1.5"]
    assert texts(root / "server-mail.1.5") == {}


def test_a_group_that_the_kernel_ended_is_told(root: Path) -> None:
    """Ours: the reason of a death that the watch was too slow to see."""
    groups = Cgroups(root)
    groups.add("mail.1.5", Limits())
    events = root / "server-mail.1.5" / "memory.events"
    assert not groups.ended_for_memory("mail.1.5")
    events.write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 0\n", "utf-8")
    assert not groups.ended_for_memory("mail.1.5")
    events.write_text("max 3\noom 1\noom_kill 2\noom_group_kill 1\n", "utf-8")
    assert groups.ended_for_memory("mail.1.5")


def test_a_group_is_ours_only_when_it_was_handed_over(root: Path, tmp_path: Path) -> None:
    """Ours: root may write everywhere and must not divide what is another's."""
    membership = tmp_path / "membership"
    membership.write_text("1:cpu:/\n0::/system.slice/runner.service\n", "utf-8")
    if os.geteuid() == 0:
        assert find_delegated(membership, tmp_path) is None
        os.setxattr(root, "user.delegate", b"1")
    assert find_delegated(membership, tmp_path) == root
    (root / "cgroup.controllers").write_text("cpu\n", "utf-8")
    assert missing(root) == "it has no controller for memory, pids"
    assert find_delegated(membership, tmp_path) is None
    membership.write_text("1:cpu:/\n", "utf-8")
    assert find_delegated(membership, tmp_path) is None
    assert missing(tmp_path) == "there is no cgroup v2 tree"
