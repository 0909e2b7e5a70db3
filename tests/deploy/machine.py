"""A small machine for one test: real systemd as its first process, above this machine's files.

Namespaces of its own and an overlay in memory: what is installed or written inside is gone at the
end. The network is this machine's. Kernel ceilings of cgroups are not there where this machine's
controllers are bound to the older hierarchies.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
START_S = 60.0
COMMAND_S = 180
LOOK_EVERY_S = 0.05
SYSTEMD = Path("/lib/systemd/systemd")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FORBIDDEN = (
    *("systemd-sysctl.service", "systemd-modules-load.service", "systemd-binfmt.service"),
    *("systemd-remount-fs.service", "systemd-tmpfiles-setup-dev.service", "dev-hugepages.mount"),
    *("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-random-seed.service"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount"),
    *(
        "systemd-journal-flush.service",
        "systemd-update-utmp.service",
        "systemd-hwdb-update.service",
    ),
    *("proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount", "tmp.mount"),
    *("systemd-tmpfiles-setup.service", "systemd-sysusers.service", "dev-mqueue.mount"),
)
"""What would act on the kernel that we share, and what takes time and brings nothing here."""
BOOT = """set -eu
echo $$ >"$1/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --propagation private \
    sh -euc "$2" sh "$3" "$4" "$5"
"""
INSIDE = f"""
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    : >dev/$name
    mount --bind /dev/$name dev/$name
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm dev/pts .outside
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
rm -rf etc/systemd/system etc/credstore opt/claude-runner var/lib/claude-runner
mkdir -p etc/systemd/system etc/credstore opt/claude-runner
: >etc/fstab
for unit in {" ".join(FORBIDDEN)}; do
    ln -s /dev/null etc/systemd/system/$unit
done
mount --bind "$2" opt/claude-runner
mount --rbind "$3" opt/claude-runner/.venv/lib
pivot_root . .outside
umount -l .outside
mount --make-rshared /
exec env -i container=other PATH={PATH} {SYSTEMD} --system --unit=basic.target \
    --log-target=journal --show-status=false
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """The first process inside, by its number outside."""

    pid: int

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command as root of the inside; both its outputs are one."""
        inside = ["nsenter", "-t", str(self.pid), "-m", "-p", "-u", "-i", "-C"]
        variables = [f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8"]
        return subprocess.Popen(
            [*inside, "env", "-i", *variables, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, fails: int = 0) -> str:
        """Run a command to its end, which has this status; return what it printed."""
        with self.start(*command) as process:
            try:
                said, _ = process.communicate(timeout=COMMAND_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == fails, f"{command} ended with {process.returncode}:\n{said}"
        return said

    def path(self, inside: str) -> Path:
        """Return where a file of the inside is for us."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def wait_for(found: Callable[[], bool], what: str) -> None:
    """Return once something is so."""
    deadline = time.monotonic() + START_S
    while not found():
        assert time.monotonic() < deadline, f"it never came: {what}"
        time.sleep(LOOK_EVERY_S)


def why_not() -> str | None:
    """Return why no such machine can be had here, or None."""
    if os.geteuid() != 0:
        return "only root can make namespaces in which root mounts"
    if not SYSTEMD.exists() or not shutil.which("nsenter"):
        return "systemd is not on this machine"
    if "overlay" not in Path("/proc/filesystems").read_text("ascii"):
        return "the kernel has no overlay"
    return None if _groups() else "there is no cgroup v2 tree"


@contextmanager
def booted(folder: Path, checkout: Path) -> Generator[Machine]:
    """Boot a machine that has `checkout` in /opt/claude-runner, until the body ends."""
    groups = _groups()
    assert groups is not None
    group = groups / f"machine-{os.getpid()}-{folder.name}"
    group.mkdir()
    place = folder / "machine"
    place.mkdir()
    libraries = Path(sys.prefix) / "lib"
    words = (group, INSIDE, place, checkout, libraries)
    command = ["sh", "-euc", BOOT, "sh", *map(str, words)]
    with (folder / "boot.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _wait(process, folder / "boot.log")
    finally:
        # With the first process everything inside ends.
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()
        _remove(group)


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> Machine:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8")
        children = _children(process.pid)
        if children and _is_up(Machine(children[0])):
            return Machine(children[0])
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"systemd did not come up: {log.read_text('utf-8')}")


def _is_up(machine: Machine) -> bool:
    if not machine.path("/run/systemd/private").exists():
        return False
    with machine.start("systemctl", "is-active", "basic.target") as process:
        said, _ = process.communicate(timeout=COMMAND_S)
    return said.strip() == "active"


def _children(pid: int) -> Sequence[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ()
    return [int(word) for word in text.split()]


def _groups() -> Path | None:
    """Return the root of the cgroup v2 tree."""
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def _remove(group: Path) -> None:
    """Remove a group and those below it, once the kernel has let go of the dead."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
        except OSError:
            assert time.monotonic() < deadline, f"{group} cannot be removed"
            time.sleep(LOOK_EVERY_S)
        else:
            return
