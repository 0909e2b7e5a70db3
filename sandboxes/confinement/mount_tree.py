"""Makes the namespaces and the mount tree that bubblewrap would, from the same options.

`bubblewrap.options` is the one description of a child's view; this reads the options that it
uses and refuses every other one. Standard library only: runs inside the sandbox.
"""

import os
from collections.abc import Iterator

from sandboxes.confinement import kernel

BASE = "/tmp"  # noqa: S108 - every tree has it, and it is covered in this mount namespace alone
OLD, NEW = "/old", "/new"
ROOT_OPTIONS = "size=1m,mode=0755"
MOUNTED = kernel.NO_SET_USER_ID | kernel.NO_DEVICES
DEVICES = ("null", "zero", "full", "random", "urandom")
STANDARD = (
    ("stdin", "self/fd/0"),
    ("stdout", "self/fd/1"),
    ("stderr", "self/fd/2"),
    ("fd", "self/fd"),
)
KERNEL_SWITCHES = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi")
"""Below /proc; bubblewrap makes the first four read-only."""

NAMESPACES = {
    "--unshare-pid": kernel.NEW_PROCESSES,
    "--unshare-ipc": kernel.NEW_IPC,
    "--unshare-uts": kernel.NEW_HOST_NAME,
    "--unshare-cgroup-try": kernel.NEW_CGROUP,
    "--unshare-net": kernel.NEW_NETWORK,
    "--unshare-user": kernel.NEW_USERS,
}
WITHOUT_MEANING = {
    "--die-with-parent": 0,
    "--disable-userns": 0,
    "--cap-drop": 1,
    "--cap-add": 1,
    "--chdir": 1,
}
"""Kept by other means for whoever reads the options here; with the number of their values."""
STEPS = {
    "--dir": 1, "--tmpfs": 1, "--proc": 1, "--dev": 1, "--remount-ro": 1,
    "--ro-bind": 2, "--ro-bind-try": 2, "--bind": 2, "--symlink": 2,
}  # fmt: skip


class Step:
    """One option that makes something in the tree; its last value is the place."""

    def __init__(self, option: str, values: list[str], perms: str, size: str | None) -> None:
        self.option = option
        self.source = values[0]
        self.place = values[-1]
        self.perms = perms
        self.size = size


class View:
    """What a line of options asks for."""

    def __init__(self) -> None:
        self.namespaces = kernel.NEW_MOUNTS
        self.host_name = "sandbox"
        self.uid: int | None = None
        self.gid: int | None = None
        self.steps: list[Step] = []


def parse(options: list[str]) -> View:
    """Return the view.

    Raises:
        ValueError: an option is none of ours or has no value.
    """
    view, rest = View(), iter(options)
    perms, size = "0755", None
    for option in rest:
        if option in NAMESPACES:
            view.namespaces |= NAMESPACES[option]
        elif option in STEPS:
            view.steps.append(Step(option, _values(option, STEPS[option], rest), perms, size))
            perms, size = "0755", None
        elif option == "--perms":
            perms = _values(option, 1, rest)[0]
        elif option == "--size":
            size = _values(option, 1, rest)[0]
        elif option in WITHOUT_MEANING:
            _values(option, WITHOUT_MEANING[option], rest)
        else:
            _identity(view, option, rest)
    return view


def _identity(view: View, option: str, rest: Iterator[str]) -> None:
    if option == "--hostname":
        view.host_name = _values(option, 1, rest)[0]
    elif option == "--uid":
        view.uid = int(_values(option, 1, rest)[0])
    elif option == "--gid":
        view.gid = int(_values(option, 1, rest)[0])
    else:
        raise ValueError(f"option {option} is unknown")


def _values(option: str, count: int, rest: Iterator[str]) -> list[str]:
    values = [value for _, value in zip(range(count), rest, strict=False)]
    if len(values) < count:
        raise ValueError(f"option {option} has too few values")
    return values


def enter(view: View, *, hide_switches: bool) -> int:
    """Make the tree in a mount namespace of this process's own, and live in it.

    `hide_switches` makes the kernel's switches in /proc read-only; whoever makes trees for
    others leaves them open, because the kernel lets no process without the machine's root
    mount a /proc that shows more. Returns a descriptor of /proc/sys from before that.

    Raises:
        OSError: a step cannot be done; the process must end then.
    """
    steps = [(step, _real_source(step)) for step in view.steps]
    os.umask(0o022)
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    # Sources and the new tree below one empty root: neither can cover the other.
    kernel.mount("tmpfs", BASE, kind="tmpfs", flags=MOUNTED, options=ROOT_OPTIONS)
    os.mkdir(BASE + OLD)
    os.mkdir(BASE + NEW)
    kernel.mount("tmpfs", BASE + NEW, kind="tmpfs", flags=MOUNTED, options=ROOT_OPTIONS)
    os.chdir(BASE)
    kernel.pivot_root(".", "." + OLD)
    os.chdir("/")
    switches = -1
    for step, source in steps:
        _take(step, source)
        if step.option == "--proc":
            switches = os.open(f"{NEW}/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            if hide_switches:
                _hide_switches()
    kernel.detach(OLD)
    os.chdir(NEW)
    kernel.pivot_root(".", ".")
    kernel.detach(".")
    os.chdir("/")
    return switches


def _real_source(step: Step) -> str | None:
    """Return where a bind comes from, without links, which would lead elsewhere later."""
    if "bind" not in step.option:
        return None
    source = os.path.realpath(step.source)
    if step.option == "--ro-bind-try" and not os.path.exists(source):
        return None
    return source


def _take(step: Step, source: str | None) -> None:
    place = NEW + step.place
    if step.option == "--symlink":
        _folder(os.path.dirname(place))
        os.symlink(step.source, place)
    elif step.option == "--dir":
        _folder(place)
        os.chmod(place, int(step.perms, 8))
    elif step.option == "--tmpfs":
        _folder(place)
        options = f"mode={step.perms}" + (f",size={step.size}" if step.size else "")
        kernel.mount("tmpfs", place, kind="tmpfs", flags=MOUNTED, options=options)
    elif step.option == "--proc":
        _folder(place)
        kernel.mount("proc", place, kind="proc", flags=MOUNTED | kernel.NO_EXECUTION)
    elif step.option == "--dev":
        _devices(place)
    elif step.option == "--remount-ro":
        kernel.restrict_mount(place, kernel.READ_ONLY, recursive=False)
    elif source is not None:
        _bind(source, place, read_only=step.option != "--bind")


def _bind(source: str, place: str, *, read_only: bool) -> None:
    source = OLD + source
    if os.path.isdir(source):
        _folder(place)
    else:
        _file(place)
    kernel.mount(source, place, flags=kernel.BIND | kernel.RECURSIVE)
    attributes = MOUNTED | (kernel.READ_ONLY if read_only else 0)
    kernel.restrict_mount(place, attributes, recursive=True)


def _devices(place: str) -> None:
    _folder(place)
    for name in DEVICES:
        _file(f"{place}/{name}")
        kernel.mount(f"{OLD}/dev/{name}", f"{place}/{name}", flags=kernel.BIND)
    for name, target in STANDARD:
        os.symlink(f"/proc/{target}", f"{place}/{name}")
    os.mkdir(f"{place}/shm")


def _hide_switches() -> None:
    attributes = MOUNTED | kernel.READ_ONLY | kernel.NO_EXECUTION
    for name in KERNEL_SWITCHES:
        path = f"{NEW}/proc/{name}"
        if os.path.exists(path):
            kernel.mount(path, path, flags=kernel.BIND)
            kernel.restrict_mount(path, attributes, recursive=False)


def _folder(path: str) -> None:
    if not os.path.isdir(path):
        _folder(os.path.dirname(path))
        os.mkdir(path)
    elif os.path.realpath(path) != path:
        raise OSError(f"{path.removeprefix(NEW)} leads elsewhere by a link")


def _file(path: str) -> None:
    _folder(os.path.dirname(path))
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
