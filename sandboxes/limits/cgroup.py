"""Ceilings of the kernel over whole trees, where a part of the cgroup v2 tree was handed to us.

One group for each child below our own. The watch looks at the same limits and names a breach;
these ceilings stand a little above its own and hold what is faster than it. File operations of
the kernel, which take microseconds. See cgroups(7) and the kernel's admin-guide/cgroup-v2.
"""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sandboxes.policy import Limits

log = logging.getLogger("claude_runner.sandboxes")

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
CONTROLLERS = ("cpu", "memory", "pids")
DELEGATED = "user.delegate"
"""The mark by which systemd says that a group and what is below it is another's to manage."""
OURS = "gateway"
"""Our own processes: a group with controllers for its children may hold none itself."""
CHILD = "server-"
HEADROOM = 8
"""One part in so many above the limit, so that the watch can name a breach first."""
SPARE_TASKS = 16
"""The wrapper's processes, which the limit of the server does not count."""
WEIGHT = 50
"""Half of the gateway's share of a processor that both want; 100 is the kernel's default."""
PERIOD_US = 100_000


def open_delegated() -> "Cgroups | None":
    """Take over the group that was handed to us; None where there is none of use."""
    group = find_delegated()
    if group is None:
        return None
    try:
        return Cgroups(group)
    except OSError as error:
        log.warning("The cgroup %s cannot be used, the watch alone holds limits: %s", group, error)
        return None


def find_delegated(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> Path | None:
    """Return the group that was handed to us with all that we need, or None."""
    group = own_group(membership, mount)
    return group if group is not None and missing(group) is None else None


def own_group(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> Path | None:
    """Return the group of this process in the cgroup v2 tree, or None where there is none."""
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        return None
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    return None if own is None else mount / own


def missing(group: Path) -> str | None:
    """Return in words what a group lacks to be of use to us, or None."""
    try:
        offered = (group / "cgroup.controllers").read_text("utf-8").split()
    except OSError:
        return "there is no cgroup v2 tree"
    if absent := [name for name in CONTROLLERS if name not in offered]:
        return f"it has no controller for {', '.join(absent)}"
    try:
        if os.getxattr(group, DELEGATED) == b"1":
            return None
    except OSError:
        pass
    # Root may write everywhere; only for others do the rights of the files say whose a group is.
    if os.geteuid() != 0 and os.access(group / "cgroup.subtree_control", os.W_OK):
        return None
    return "it is not delegated to the gateway (Delegate=yes in its systemd unit)"


class Cgroups:
    """The groups of our children. Raises OSError where the kernel refuses."""

    def __init__(self, root: Path) -> None:
        """Take `root` over: our processes move one level down, leftovers of earlier children go."""
        self._root = root
        own = root / OURS
        own.mkdir(exist_ok=True)
        for pid in (root / "cgroup.procs").read_text("utf-8").split():
            with suppress(ProcessLookupError):
                _write(own / "cgroup.procs", pid)
        _write(root / "cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))
        self.sweep()

    def add(self, name: str, limits: Limits) -> None:
        """Make the group of a child; the kernel holds what is moved into it."""
        group = self._root / f"{CHILD}{name}"
        group.mkdir()
        ceiling = limits.memory_bytes + limits.memory_bytes // HEADROOM
        _write(group / "memory.max", str(ceiling))
        _write(group / "memory.oom.group", "1")
        _write(group / "pids.max", str(limits.processes + SPARE_TASKS))
        _write(group / "cpu.weight", str(WEIGHT))
        if limits.cpu is not None:
            _write(group / "cpu.max", f"{round(limits.cpu * PERIOD_US)} {PERIOD_US}")

    def move(self, name: str, pids: Iterable[int]) -> None:
        """Move processes into a child's group; what they start from then on is in it as well."""
        for pid in pids:
            # A process may be gone meanwhile, and the group with the last one.
            with suppress(ProcessLookupError, FileNotFoundError):
                _write(self._root / f"{CHILD}{name}" / "cgroup.procs", str(pid))

    def ended_for_memory(self, name: str) -> bool:
        """Return whether the kernel ended the group at its memory ceiling."""
        try:
            text = (self._root / f"{CHILD}{name}" / "memory.events").read_text("utf-8")
        except FileNotFoundError:
            return False
        counts = dict(line.split() for line in text.splitlines())
        return counts.get("oom_kill", "0") != "0"

    def sweep(self, keep: Iterable[str] = ()) -> None:
        """Kill and remove every group but these; one that is not empty yet goes the next time."""
        kept = {f"{CHILD}{name}" for name in keep}
        for group in self._root.glob(f"{CHILD}*"):
            if group.name not in kept:
                with suppress(OSError):
                    _write(group / "cgroup.kill", "1")
                with suppress(OSError):
                    group.rmdir()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
