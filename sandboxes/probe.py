"""Whether a level can be had on this machine, found out by starting a child at that level.

Blocks for some tenths of a second. Above: the supervisor at start, and `claude-runner doctor`.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sandboxes import environment, interpreter, launch, ownership
from sandboxes.errors import LevelUnavailable, SandboxError
from sandboxes.policy import Level, Policy

PROBE = ("/bin/cat", "/proc/self/status")
TIMEOUT_S = 10.0
"""A start takes 0.2 s; ten seconds are for a machine that is busy starting everything else."""
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
PROFILE = interpreter.SANDBOXES.parent / "deploy" / "apparmor" / "claude-runner-bwrap"
ALLOW_BUBBLEWRAP = (
    f"sudo install -m 644 {PROFILE} /etc/apparmor.d/{PROFILE.name} && "
    f"sudo apparmor_parser -r /etc/apparmor.d/{PROFILE.name}"
)
MAX_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
CLONE_SWITCH = Path("/proc/sys/kernel/unprivileged_userns_clone")


def problem(level: Level, *, uid_base: int = ownership.UID_BASE) -> str | None:
    """Return why the level cannot be had, in words that go into a sentence; None when it can.

    As root the probe child becomes user `uid_base`.
    """
    uid = uid_base if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="claude-runner-probe-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data_dir, private = folder / "data", folder / "private"
        ownership.make_folders(data_dir, private, uid)
        policy = Policy(level, data_dir, read_write=(private,), uid=uid)
        env = environment.child_environment(data_dir=data_dir, private=private, declared={})
        try:
            ready = launch.prepare(PROBE, env=env, cwd=data_dir, policy=policy)
        except LevelUnavailable as error:
            return error.reason
        except SandboxError as error:
            return str(error).rstrip(".")
        return _start(ready, level)


def require(level: Level, *, uid_base: int = ownership.UID_BASE) -> None:
    """Return when the level can be had.

    Raises:
        LevelUnavailable: it cannot; the message says what to install or set.
    """
    reason = problem(level, uid_base=uid_base)
    if reason is not None:
        raise LevelUnavailable(level, reason)


def available_level(*, uid_base: int = ownership.UID_BASE) -> Level:
    """Return the tightest level that works here. For reports; nothing falls back by itself."""
    for level in (Level.STRONG, Level.REDUCED):
        if problem(level, uid_base=uid_base) is None:
            return level
    return Level.OFF


def _start(ready: launch.Launch, level: Level) -> str | None:
    try:
        done = subprocess.run(
            ready.argv,
            env=dict(ready.env),
            cwd=ready.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"a probe child did not end within {TIMEOUT_S:g} s"
    except OSError as error:
        return f"a probe child could not be started ({error})"
    if done.returncode != 0:
        return _advice(done.stderr)
    return None if level is Level.OFF else _unconfined(done.stdout, level)


def _unconfined(status: str, level: Level) -> str | None:
    """Return what a confined child should not have but has, read from its own status."""
    seen = {key: value.split() for key, _, value in (x.partition(":") for x in status.splitlines())}
    expected: Mapping[str, list[str]] = {
        "NoNewPrivs": ["1"],
        "Seccomp": ["2"],
        "CapEff": ["0" * 16],
        "CapPrm": ["0" * 16],
    }
    for key, value in expected.items():
        if seen.get(key) != value:
            return f"a probe child started with {key} {' '.join(seen.get(key, ['unknown']))}"
    if "0" in seen.get("Uid", ["0"]):
        return "a probe child kept the rights of root"
    if level is Level.STRONG and seen.get("NSpid") != ["2"]:
        return "a probe child has no process numbers of its own"
    return None


def _advice(stderr: str) -> str:
    said = stderr.strip().splitlines()[-1][:300] if stderr.strip() else "no message"
    if "namespace" not in said and "uid map" not in said and "Operation not permitted" not in said:
        return f"a probe child failed ({said})"
    if os.geteuid() == 0:
        return (
            f"this root may not make namespaces ({said}); in a container, give it CAP_SYS_ADMIN "
            f"and unmasked /proc, or run as a plain user"
        )
    if _reads(APPARMOR) == "1":
        return (
            f"AppArmor keeps plain users from making user namespaces ({said}); run: "
            f"{ALLOW_BUBBLEWRAP}"
        )
    if _reads(MAX_NAMESPACES) == "0" or _reads(CLONE_SWITCH) == "0":
        return (
            f"user namespaces are switched off ({said}); run: "
            f"sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1"
        )
    return f"this user may not make user namespaces ({said}); a container must allow them"


def _reads(switch: Path) -> str:
    try:
        return switch.read_text(encoding="ascii").strip()
    except OSError:
        return ""
