"""Amounts as people read them."""

from datetime import UTC, datetime

STEP = 1024


def size(amount: int) -> str:
    """Return a number of bytes as ``512 B``, ``3.1 KiB``, ``20.0 MiB`` or ``1.5 GiB``."""
    if amount < STEP:
        return f"{amount} B"
    for power, unit in ((1, "KiB"), (2, "MiB")):
        if amount < STEP ** (power + 1):
            return f"{amount / STEP**power:.1f} {unit}"
    return f"{amount / STEP**3:.1f} GiB"


def instant(ms: int) -> str:
    """Return an instant as ``2026-11-22 07:35:08 UTC``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
