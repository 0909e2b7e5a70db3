"""The command line of bubblewrap that gives a child namespaces and a mount tree of its own.

Bubblewrap passes its environment on to the child; credentials never stand in its arguments,
because those are world-readable. See bwrap(1).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sandboxes import interpreter, system
from sandboxes.policy import MIB, NetworkMode, Policy, Shown

TMP_BYTES = 64 * MIB
NOBODY = "65534"
NEEDED_TO_CHANGE_USER = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
MADE_BY_US = frozenset(Path(path) for path in ("/", "/etc", "/tmp", "/dev", "/dev/shm", "/proc"))  # noqa: S108 - the child's own


def options(
    policy: Policy, *, read_only: Sequence[Path], links: Sequence[Path], root: bool
) -> list[str]:
    """Return bubblewrap's options, which are those of `mount_tree` for warm children too.

    `read_only` is all the child may read beside the system; `links` are symbolic links to
    repeat, where no mount shows them. `root`: no user namespace; the launcher inside changes
    the user, for which three capabilities stay until then.
    """
    line = ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    line += ["--unshare-cgroup-try", "--hostname", "sandbox", "--cap-drop", "ALL"]
    if root:
        for capability in NEEDED_TO_CHANGE_USER:
            line += ["--cap-add", capability]
    else:
        line += ["--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY]
    if policy.network.mode is not NetworkMode.FULL:
        line += ["--unshare-net"]
    line += _system(policy.network.mode)
    line += ["--proc", "/proc", "--dev", "/dev"]
    shm = str(policy.limits.shared_memory_bytes)
    line += ["--size", shm, "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108 - the child's own
    line += ["--size", str(TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the child's own
    read_write = (policy.data_dir, *policy.read_write)
    line += _granted(read_only, read_write, links, policy.shown)
    return [*line, "--chdir", "/", "--remount-ro", "/"]


def _system(mode: NetworkMode) -> Iterator[str]:
    yield from ("--perms", "0755", "--dir", "/etc")
    for name in system.READ_ONLY:
        yield from ("--ro-bind-try", name, name)
    for name in system.LINKS:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    yield from ("--ro-bind", str(interpreter.SANDBOXES / "etc" / "gitconfig"), "/etc/gitconfig")
    for name in system.resolver(mode):
        yield from ("--ro-bind-try", str(Path(name).resolve()), name)


def _granted(
    read_only: Sequence[Path],
    read_write: Sequence[Path],
    links: Sequence[Path],
    shown: Sequence[Shown],
) -> Iterator[str]:
    binds = dict.fromkeys((path for path in read_only if not system.covers(path)), "--ro-bind")
    binds |= dict.fromkeys(read_write, "--bind")
    made = set(MADE_BY_US)
    # Outer folders first, else a later mount would hide an inner one.
    for path, option in sorted(binds.items(), key=lambda item: len(item[0].parts)):
        yield from _parents(path, made)
        made.add(path)
        yield from (option, str(path), str(path))
    for link in links:
        if not system.covers(link) and not any(link.is_relative_to(path) for path in binds):
            yield from _parents(link, made)
            yield from ("--symlink", str(link.readlink()), str(link))
    for one in shown:
        yield from _parents(one.at, made)
        yield from ("--ro-bind", str(one.source), str(one.at))


def _parents(path: Path, made: set[Path]) -> Iterator[str]:
    # Folders that bubblewrap makes itself on the way are closed to a changed user.
    for folder in reversed(path.parents):
        if folder not in made and not system.covers(folder):
            made.add(folder)
            yield from ("--perms", "0755", "--dir", str(folder))
