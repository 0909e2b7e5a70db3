"""How long a token shall live, as its owner writes it."""

import pytest

from gateway.auth.lifetimes import InvalidLifetime, read_life_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("12h", 43_200), ("90d", 7_776_000), ("3650d", 315_360_000)],
)
def test_a_time_is_minutes_hours_or_days(text: str, seconds: int) -> None:
    """Ours."""
    assert read_life_s(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0d",
        "90",
        "-1d",
        "3651d",
        "9999999d",
        "1w",
        "d",
        " 1d",
        "1d\n",
        "\u0661d",
        "1" * 99 + "d",
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    """Ours: a token that lives for ever by mistake is worse than none."""
    with pytest.raises(InvalidLifetime) as refused:
        read_life_s(text)
    assert str(refused.value).count("\n") == 0
