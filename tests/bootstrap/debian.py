"""A bare Debian in a folder: its Python and nothing else, made by debootstrap for one test."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy import bootstrap

ENTER = """set -e
mount --bind "$0" "$0"
cd "$0"
mkdir -p .outside
mount -t proc proc proc
mount --rbind /dev dev
pivot_root . .outside
umount -l .outside
exec "$@"
"""
"""A root of its own and no chroot: in a chroot the kernel grants no user namespaces."""
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
NETWORK = ("etc/apt/apt.conf.d", "etc/resolv.conf", "etc/hosts", "etc/pip.conf", CERTIFICATES)
"""What this machine needs to reach its package sources, so the one inside needs it too."""


@dataclass(frozen=True, slots=True)
class BareDebian:
    """A root file system, entered with mounts that vanish with the command."""

    root: Path

    def command(self, uid: int, program: Path) -> list[str]:
        """Return how to run a program that lies inside as a user of the inside."""
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
            *("sh", "-c", ENTER, str(self.root)),
            *("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
            f"/{program.relative_to(self.root)}",
        ]


@contextmanager
def bare_debian(suite: str, *packages: str) -> Iterator[BareDebian]:
    """Make a Debian of that suite, with these packages too, from the mirror that this machine uses.

    Removed at the end.
    """
    if not shutil.which("debootstrap"):
        bootstrap.provide(["debootstrap"])
    with tempfile.TemporaryDirectory(prefix="bare-debian-") as name:
        root = Path(name)
        root.chmod(0o755)
        wanted = ",".join(("python3", "ca-certificates", *packages))
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={wanted}", suite, name, _mirror()],
            check=True,
        )
        for place in map(Path, NETWORK):
            _copy(Path("/") / place, root / place)
        yield BareDebian(root)


def _copy(here: Path, inside: Path) -> None:
    if here.is_dir():
        shutil.copytree(here, inside, dirs_exist_ok=True)
    elif here.exists():
        shutil.copyfile(here, inside)


def _mirror() -> str:
    """Return the address of this machine's main Debian source."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    return next(site for site in sites if "security" not in site)
