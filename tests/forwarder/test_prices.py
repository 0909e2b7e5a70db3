"""What answers cost."""

import pytest

from gateway.forwarder.prices import PRICES, Usage, cost_micro_usd, price_of, read_usage

MILLION = 1_000_000


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
    assert cost_micro_usd("claude-opus-5-5", usage) == round(dollars * MILLION)


def test_costs_are_rounded_up() -> None:
    """Ours: a budget is never undercounted."""
    assert cost_micro_usd("claude-haiku-5-5", Usage(input=1)) == 1


def test_long_prompts_cost_more_where_the_list_says_so() -> None:
    """Ours: for the whole request, as soon as the prompt passes the mark."""
    short = cost_micro_usd("claude-haiku-5-5", Usage(input=100_000))
    long = cost_micro_usd("claude-haiku-5-5", Usage(input=100_000, cache_read=1000))
    assert (short, long) == (10_000, 50_050)


def test_dated_names_and_aliases_of_a_model_have_its_price() -> None:
    """Ours: requests and answers name the same model differently."""
    for name in ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5[1m]", "claude-sonnet-4-5"):
        assert price_of(name) == PRICES["claude-sonnet-4-5"]


@pytest.mark.parametrize("model", ["claude-sonnet", "", "gpt-5", "claude-opus-5-5-evil"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    """Ours: nothing is guessed."""
    assert cost_micro_usd(model, Usage(input=1)) is None


def test_fast_answers_have_no_known_price() -> None:
    """Ours: they cost more than the table says."""
    assert cost_micro_usd("claude-opus-5-5", Usage(input=1, fast=True)) is None


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
