"""A row of numbers as a line."""

import pytest

from gateway.dashboard.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ((), ""),
        ((5.0,), ""),
        ((0.0, 0.0), "0.0,16.0 60.0,16.0"),
        ((1.0, 4.0, 2.0), "0.0,12.0 30.0,0.0 60.0,8.0"),
    ],
)
def test_a_line_stands_on_zero_and_touches_its_top(values: tuple[float, ...], points: str) -> None:
    """Ours: two values at least make a line."""
    assert sparkline(values) == points
