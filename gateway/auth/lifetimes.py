"""How long a token shall live, as its owner writes it. Pure."""

import re

UNITS_S = {"m": 60, "h": 3600, "d": 24 * 3600}
MAX_LIFE_S = 3650 * UNITS_S["d"]
_LIFE = re.compile(r"([1-9][0-9]{0,6})([mhd])")


class InvalidLifetime(ValueError):
    """A text that names no time a token can live; the message is one sentence."""


def read_life_s(text: str) -> int:
    """Return the seconds that '30m', '12h' or '90d' stands for. Raises InvalidLifetime."""
    found = _LIFE.fullmatch(text)
    life_s = int(found[1]) * UNITS_S[found[2]] if found else 0
    if not 0 < life_s <= MAX_LIFE_S:
        raise InvalidLifetime(
            f"{text[:50]!r} is no time that a token can live; write it like 30m, 12h or 90d, "
            "up to 3650d."
        )
    return life_s
