"""What of the machine every confined child may read: the same for both confined levels."""

from pathlib import Path

from sandboxes.policy import NetworkMode

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
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
PROC = tuple(
    f"/proc/{name}"
    for name in ("self", "cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version")
)


def covers(path: Path) -> bool:
    """Return whether a child sees this path without any grant."""
    return any(path.is_relative_to(known) for known in (*READ_ONLY, *LINKS))


def resolver(mode: NetworkMode) -> tuple[str, ...]:
    """Return the files of name resolution, for a child that has the machine's network."""
    return RESOLVER if mode is NetworkMode.FULL else ()
