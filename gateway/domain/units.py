"""Amounts, times and values as people read them."""

import json
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")

STEP = 1024
SHOWN_CHARS = 60
MICRO = 1_000_000


def size(amount: int) -> str:
    """Return a number of bytes as ``512 B``, ``3.1 KiB``, ``20.0 MiB`` or ``1.5 GiB``."""
    if amount < STEP:
        return f"{amount} B"
    for power, unit in ((1, "KiB"), (2, "MiB")):
        if amount < STEP ** (power + 1):
            return f"{amount / STEP**power:.1f} {unit}"
    return f"{amount / STEP**3:.1f} GiB"


def counted(number: int, word: str) -> str:
    """Return such as ``1 tool`` and ``2 tools``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def instant(ms: int) -> str:
    """Return an instant as ``2026-11-22 07:35:08 UTC``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(ms: int) -> str:
    """Return an instant as ISO 8601 text."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def shown(value: object) -> str:
    """Return `value` as short JSON for a sentence."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def dollars(micro: int | None) -> float | None:
    """Return micro-dollars as dollars, None for None."""
    return None if micro is None else micro / MICRO


def micro_dollars(usd: float | None) -> int | None:
    """Return dollars as micro-dollars, None for None."""
    return None if usd is None else round(usd * MICRO)


def changed(old: T | None, new: T | None) -> T | None:
    """Return what an optional field becomes: None keeps it, an empty text or 0 clears it."""
    return old if new is None else new or None
