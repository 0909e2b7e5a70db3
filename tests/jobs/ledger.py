"""Whether every due instant of a schedule is accounted for exactly once."""

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from random import Random

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo",
    "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Casablanca", "America/Santiago",
    "Europe/Dublin", "Pacific/Apia",
)  # fmt: skip


@dataclass
class Ledger:
    """What became of the instants of one schedule."""

    ran: list[int] = field(default_factory=list[int])
    stretches: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """First and last instant of each row that says why."""

    def wrong(self, instants: list[int]) -> dict[int, int]:
        """Return the instants that are not accounted for exactly once, and how often they are."""
        counted = Counter(dict.fromkeys(instants, 0))
        counted.update(self.ran)
        for first, last in self.stretches:
            counted.update(instants[bisect_left(instants, first) : bisect_right(instants, last)])
        return {instant: times for instant, times in counted.items() if times != 1}


def some_expression(dice: Random) -> str:
    """Return a cron expression such as people write; most are due once a day or less."""
    minute, hour = dice.randrange(60), dice.randrange(24)
    return dice.choice(
        (
            f"{minute} {hour} * * *",
            f"{minute} {hour} * * *",
            f"{minute} {dice.randrange(4)} * * *",
            f"{minute} {hour} * * 1-5",
            f"{minute} {hour} * * {dice.randrange(7)}",
            f"{minute} {hour} {dice.randrange(1, 29)} * *",
            f"{minute} {hour} L * *",
            f"{minute},{(minute + 17) % 60} {hour} * * *",
            f"{minute} {dice.randrange(1, 4)}-{dice.randrange(4, 6)} * * *",
            f"{minute} */{dice.choice((4, 6, 12))} * * *",
            f"*/30 {hour} * * *",
        )
    )


def later(dice: Random, instant: int) -> int:
    """Return when an instant is looked at: mostly at once, sometimes long after."""
    outage = dice.choice((10 * MINUTE, 2 * HOUR, DAY, 9 * DAY))
    late = dice.uniform(0, outage) if dice.random() < 0.05 else dice.uniform(0, 5_000)
    return instant + int(late)
