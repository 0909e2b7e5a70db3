"""Whom a back-up tells how far it is."""

from collections.abc import Callable
from typing import TypeAlias

Told: TypeAlias = Callable[[int], None]
"""Takes how many files are done."""


def untold(_: int) -> None:
    """Tell nobody."""
