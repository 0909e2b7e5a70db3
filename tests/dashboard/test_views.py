"""Numbers as people read them."""

import pytest

from gateway.dashboard.views import duration, instant, mebibytes, milliseconds, money


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (86400 + 3600, "1 d 1 h"),
    ],
)
def test_duration_is_short(seconds: float | None, text: str) -> None:
    """Ours: the page changes once a minute for an old child, not every second."""
    assert duration(seconds) == text


def test_money_is_in_dollars_with_four_digits() -> None:
    """Ours."""
    assert (money(None), money(12_300)) == ("-", "$0.0123")


def test_instant_names_its_zone() -> None:
    """Ours."""
    assert instant(1_795_330_000_000) == "2026-11-22 06:46:40 UTC"


def test_use_is_shown_with_its_unit() -> None:
    """Ours: three digits are enough."""
    assert (mebibytes(None), mebibytes(18_664_653)) == ("-", "17.8 MiB")
    shown = [milliseconds(value) for value in (None, 0.4213, 42.13, 421.3, 1534.2)]
    assert shown == ["-", "0.421 ms", "42.1 ms", "421 ms", "1.53 s"]
