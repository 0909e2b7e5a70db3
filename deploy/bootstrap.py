"""Makes a virtual environment for the checkout from a lock with hashes: `bootstrap.py VENV LOCK`.

Run by the root script with the system's Python, so it uses the standard library alone. Prints only
progress; every failure is one sentence and exit code 2.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DPKG_WAIT_S = 120
"""How long apt-get waits for another package manager, such as a machine's first upgrade."""


class BootstrapError(Exception):
    """The environment cannot be made; the message is one sentence for the person who started us."""


def main(arguments: Sequence[str]) -> int:
    """Bring the environment up to date and return the exit code."""
    venv, lock = map(Path, arguments)
    try:
        ensure(venv, lock)
    except BootstrapError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{venv} cannot be made: {error}.")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def ensure(venv: Path, lock: Path) -> None:
    """Make the environment unless it is there and current. Raises BootstrapError, OSError."""
    with _only_one() as guard:
        if not _is_current(venv, lock):
            provide(_missing_packages())
            _make(venv, lock, guard)


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(f"claude-runner: {text}", file=sys.stderr, flush=True)


@contextmanager
def _only_one() -> Iterator[int]:
    """Hold the checkout's lock and yield its descriptor; whoever inherits it holds the lock too."""
    guard = os.open(CHECKOUT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another start to finish its installation.")
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield guard
    finally:
        os.close(guard)


def stamp(venv: Path, lock: Path) -> str:
    """Return what a finished environment carries, as the root script computes it with sha256sum."""
    interpreter = (venv / "bin/python").resolve()
    return f"{hashlib.sha256(lock.read_bytes()).hexdigest()}  -\n{interpreter}\n"


def _is_current(venv: Path, lock: Path) -> bool:
    """Return whether an installation of this lock was finished with this interpreter."""
    written = venv / "stamp"
    return (
        os.access(venv / "bin/python", os.X_OK)
        and written.exists()
        and written.read_text("utf-8") == stamp(venv, lock)
    )


def _missing_packages() -> tuple[str, ...]:
    """Return the Debian packages without which no environment or no sandbox can be made."""
    missing: list[str] = []
    if not shutil.which("uv") and not importlib.util.find_spec("ensurepip"):
        missing.append(_venv_package())
    if not shutil.which("bwrap"):
        missing.append("bubblewrap")
    return tuple(missing)


def _venv_package() -> str:
    """Return the Debian package that completes the interpreter we run on."""
    if Path(sys.executable).resolve() == Path("/usr/bin/python3").resolve():
        return "python3-venv"
    return f"python3.{sys.version_info.minor}-venv"


def provide(packages: Sequence[str]) -> None:
    """Install Debian packages as root. Anyone else gets a BootstrapError with the command."""
    if not packages:
        return
    named = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BootstrapError(
            f"{named} must be installed: run 'apt-get install -y {named}' as root, "
            "then start again."
        )
    say(f"installing {named}")
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    apt = ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={DPKG_WAIT_S}"]
    subprocess.run([*apt, "update"], env=quiet, stdout=sys.stderr, check=False)
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    if subprocess.run(install, env=quiet, stdout=sys.stderr, check=False).returncode:
        raise BootstrapError(f"apt-get could not install {named}; its reason stands above.")


def _make(venv: Path, lock: Path, guard: int) -> None:
    """Make the environment from nothing; without the stamp, which comes last, it counts as none."""
    say(f"making {venv.relative_to(CHECKOUT)} (once; about a minute)")
    if venv.exists():
        shutil.rmtree(venv)
    for command in _commands(venv, lock):
        # An installer that outlives us keeps the lock, so that nobody builds beside it.
        done = subprocess.run(
            command, cwd=CHECKOUT, stdout=sys.stderr, pass_fds=[guard], check=False
        )
        if done.returncode:
            raise BootstrapError(
                f"{Path(command[0]).name} could not make {venv}; its reason stands above."
            )
    beside = venv / "stamp.new"
    beside.write_text(stamp(venv, lock), encoding="utf-8")
    beside.rename(venv / "stamp")


def _commands(venv: Path, lock: Path) -> tuple[list[str], list[str]]:
    """Return how to create and how to fill the environment: by uv when there, else by pip."""
    python = str(venv / "bin/python")
    exact = ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    uv = shutil.which("uv")
    if uv:
        return (
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(venv)],
            [uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode", *exact],
        )
    return (
        [sys.executable, "-I", "-m", "venv", str(venv)],
        [python, "-I", "-m", "pip", "install", "-qq", "--no-input",
         "--disable-pip-version-check", "--compile", *exact],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
