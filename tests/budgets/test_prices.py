"""What answers cost."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway.budgets.price_file import PriceFileError, read_price_file
from gateway.budgets.prices import AS_OF, OLD_DAYS, PRICES, PriceList, Usage, read_usage

MILLION = 1_000_000
LIST = PriceList()


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(input=MILLION), 4),
        (Usage(output=MILLION), 20),
        (Usage(cache_read=MILLION), 0.2),
        (Usage(cache_write=MILLION), 5),
        (Usage(cache_write_1h=MILLION), 8),
        (Usage(web_searches=100), 1),
        (Usage(input=MILLION, us_only=True), 4.4),
    ],
)
def test_each_kind_of_token_has_its_price(usage: Usage, dollars: float) -> None:
    """Ours: the list prices of claude-opus-5-5."""
    assert LIST.cost_micro_usd("claude-opus-5-5", usage) == round(dollars * MILLION)


def test_costs_are_rounded_up() -> None:
    """Ours: a budget is never undercounted."""
    assert LIST.cost_micro_usd("claude-haiku-5-5", Usage(input=1)) == 1


def test_long_prompts_cost_more_where_the_list_says_so() -> None:
    """Ours: for the whole request, as soon as the prompt passes the mark."""
    short = LIST.cost_micro_usd("claude-haiku-5-5", Usage(input=100_000))
    long = LIST.cost_micro_usd("claude-haiku-5-5", Usage(input=100_000, cache_read=1000))
    assert (short, long) == (10_000, 50_050)


def test_dated_names_and_aliases_of_a_model_have_its_price() -> None:
    """Ours: requests and answers name the same model differently."""
    for name in ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5[1m]", "claude-sonnet-4-5"):
        assert LIST.price_of(name) == PRICES["claude-sonnet-4-5"]


@pytest.mark.parametrize("model", ["claude-sonnet", "", "gpt-5", "claude-opus-5-5-evil"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    """Ours: nothing is guessed."""
    assert LIST.cost_micro_usd(model, Usage(input=1)) is None


def test_fast_answers_have_no_known_price() -> None:
    """Ours: they cost more than the table says."""
    assert LIST.cost_micro_usd("claude-opus-5-5", Usage(input=1, fast=True)) is None


def test_usage_of_the_api_is_read_in_our_words() -> None:
    """API: the five-minute cache is what is left of the sum; nonsense counts as nothing."""
    usage = read_usage(
        {
            "input_tokens": 7,
            "output_tokens": None,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_1h_input_tokens": 10},
            "cache_read_input_tokens": "many",
            "server_tool_use": {"web_search_requests": 2},
        }
    )
    assert usage == Usage(input=7, cache_write=20, cache_write_1h=10, web_searches=2)


@pytest.mark.parametrize(
    ("model", "unknown"),
    [("sonnet", False), ("opus[1m]", False), ("claude-opus-5-5", False), ("gpt-5", True)],
)
def test_a_word_of_the_cli_is_no_unknown_model(model: str, unknown: bool) -> None:
    """Ours: which model it stands for, only the CLI's request tells; that is looked at then."""
    assert LIST.is_unknown(model) is unknown


def test_the_owners_file_comes_before_the_list(tmp_path: Path) -> None:
    """Issue 7, point 4: it adds models and replaces prices; what it leaves out is not cheap."""
    file = tmp_path / "prices.toml"
    file.write_text(
        """
        as_of = 2026-11-01
        source = "our contract"
        [models."glm-9"]
        input = 2
        output = 8
        [models."claude-opus-5-5"]
        input = 3
        output = 15
        cache_write = 3.5
        cache_write_1h = 6
        cache_read = 0.1
        """,
        "utf-8",
    )
    prices = read_price_file(file)
    everything = Usage(MILLION, MILLION, MILLION, MILLION, MILLION)
    assert prices.cost_micro_usd("glm-9", everything) == round((2 + 8 + 2 + 2.5 + 4) * MILLION)
    assert prices.cost_micro_usd("claude-opus-5-5-20261101", everything) == round(
        (3 + 15 + 0.1 + 3.5 + 6) * MILLION
    )
    assert prices.price_of("claude-haiku-4-5") == PRICES["claude-haiku-4-5"]
    assert prices.own_as_of == date(2026, 11, 1)
    assert prices.as_of == AS_OF


def test_old_prices_are_said_to_be_old() -> None:
    """Issue 7, 4: a dated table; a newer list of the owner's own counts."""
    day = AS_OF + timedelta(days=OLD_DAYS)
    assert LIST.remark(day) is None
    said = LIST.remark(day + timedelta(days=1))
    assert said is not None
    assert said.startswith(f"The prices are of {AS_OF}, more than 180 days ago")
    assert PriceList({}, AS_OF + timedelta(days=1)).remark(day + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no list of prices: Object missing required field `as_of`"),
        (
            'as_of = 2026-11-01\nsource = "x"\n[models.a]\ninput = -1\noutput = 1\n',
            "is no list of prices: Expected `float` >= 0.0 - at `$.models[...].input`",
        ),
        (
            'as_of = 2026-11-01\nsource = "x"\n[models.a]\ninput = 1\noutput = 1\nprice = 1\n',
            "is no list of prices: Object contains unknown field `price` - at `$.models[...]`",
        ),
        ("#" * 1024 * 1024 + "#", "has more than 1024 KiB"),
    ],
)
def test_a_wrong_file_is_refused_whole(tmp_path: Path, text: str, problem: str) -> None:
    """Ours: no run is counted by a half of a list."""
    file = tmp_path / "prices.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(PriceFileError) as refused:
        read_price_file(file)
    assert str(refused.value) == problem
