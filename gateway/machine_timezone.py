"""The machine's time zone by its IANA name."""

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCALTIME = Path("/etc/localtime")
"""A link to a file below a folder `zoneinfo` (systemd's localtime(5))."""
WITHOUT = "UTC"


def machine_timezone(environ: Mapping[str, str], localtime: Path = LOCALTIME) -> str:
    """Return the zone that TZ names, else that of `localtime`, else UTC."""
    _, _, linked = str(localtime.resolve()).rpartition("/zoneinfo/")
    for name in (environ.get("TZ", "").removeprefix(":"), linked):
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, OSError, ValueError):
            continue
    return WITHOUT
