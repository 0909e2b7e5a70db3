"""A row of numbers as the corners of a line, for an SVG that needs neither script nor style."""

from functools import lru_cache

WIDTH = 60
HEIGHT = 16
REMEMBERED = 2048
"""Lines of servers that are looked at again and again: two of each of a thousand."""


@lru_cache(REMEMBERED)
def sparkline(values: tuple[float, ...], width: int = WIDTH, height: int = HEIGHT) -> str:
    """Return the `points` of a polyline from left to right; nothing for fewer than two values.

    The line fills `width` by `height`; its foot is zero and its top the largest value.
    """
    if len(values) < 2:
        return ""
    top = max(values) or 1.0
    step = width / (len(values) - 1)
    return " ".join(
        f"{index * step:.1f},{height - value / top * height:.1f}"
        for index, value in enumerate(values)
    )
