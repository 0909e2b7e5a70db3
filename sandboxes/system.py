"""What of the machine every confined child may read: the same for both confined levels."""

from pathlib import Path

from sandboxes.policy import Level, NetworkMode

READ_ONLY = (
    "/usr",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/alternatives",
    "/etc/mime.types",
)
LINKS = ("/bin", "/sbin", "/lib", "/lib64", "/lib32")
RESOLVER = ("/etc/resolv.conf", "/etc/hosts")
_COVERED = tuple(f"{name}/" for name in (*READ_ONLY, *LINKS))
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
PROC = tuple(
    f"/proc/{name}"
    for name in ("self", "cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version")
)


def covers(path: Path) -> bool:
    """Return whether a child sees this path without any grant."""
    # Asked some hundred times per start, for which `Path.is_relative_to` is too slow.
    return f"{path}/".startswith(_COVERED)


def resolver(mode: NetworkMode) -> tuple[str, ...]:
    """Return the files of name resolution, for a child that has the machine's network."""
    return RESOLVER if mode is NetworkMode.FULL else ()


def unsupported(platform: str, level: Level) -> str | None:
    """Return why nothing starts on this `sys.platform` in one sentence, None where it does."""
    if platform.startswith("linux") or (platform == "darwin" and level is Level.OFF):
        return None
    if platform == "darwin":
        return (
            f"SANDBOX={level} needs Linux; on macOS Claude Runner starts with SANDBOX=off alone, "
            f"which nobody has tested there."
        )
    return f"Claude Runner needs Linux, and this is {platform}; run it in a virtual machine."
