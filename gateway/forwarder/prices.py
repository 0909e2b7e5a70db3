"""What tokens cost: list prices in US dollars for a million tokens, as of 2026-11-22. Pure.

A dollar for a million tokens is a micro-dollar for one, so prices here are micro-dollars for a
token. Source: the model catalog in the bundled CLI (2.1.330); Anthropic's page lists the same.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

CACHE_WRITE_5M = 1.25
CACHE_WRITE_1H = 2.0
"""Writing to the prompt cache costs this many times the input price, for every model."""
WEB_SEARCH_MICRO_USD = 10_000
US_ONLY = 1.1
"""Factor for requests that must be computed in the United States."""
_SUFFIX = re.compile(r"(\[1m\]|-\d{8}|-latest)+$")


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars for one token."""

    input: float
    output: float
    cache_read: float
    long_prompt_above: int | None = None
    """Prompts of more tokens cost `long_prompt_factor` times as much, in and out."""
    long_prompt_factor: float = 1.0


_SONNET = Price(3, 15, 0.3)
_OPUS_4 = Price(15, 75, 1.5)
_OPUS = Price(5, 25, 0.5)
_LARGE = Price(10, 50, 1)
_LARGE_1 = Price(10, 50, 0.25)
_LARGE_2 = Price(8, 40, 0.2)
PRICES: Mapping[str, Price] = {
    "claude-3-5-haiku": Price(0.8, 4, 0.08),
    "claude-haiku-4-5": Price(1, 5, 0.1),
    "claude-haiku-5-5": Price(0.1, 0.5, 0.01, 100_000, 5.0),
    "claude-3-5-sonnet": _SONNET,
    "claude-3-7-sonnet": _SONNET,
    "claude-sonnet-4": _SONNET,
    "claude-sonnet-4-0": _SONNET,
    "claude-sonnet-4-5": _SONNET,
    "claude-sonnet-4-6": _SONNET,
    "claude-sonnet-5": Price(2, 10, 0.2),
    "claude-sonnet-5-5": Price(2, 10, 0.1),
    "claude-opus-4": _OPUS_4,
    "claude-opus-4-0": _OPUS_4,
    "claude-opus-4-1": _OPUS_4,
    "claude-opus-4-5": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-5": _OPUS,
    "claude-opus-5-5": Price(4, 20, 0.2),
    "claude-fable-5": _LARGE,
    "claude-fable-5-1": _LARGE_1,
    "claude-fable-5-2": _LARGE_2,
    "claude-mythos-5": _LARGE,
    "claude-mythos-5-1": _LARGE_1,
    "claude-mythos-5-2": _LARGE_2,
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer used."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    """To the cache of five minutes."""
    cache_write_1h: int = 0
    web_searches: int = 0
    us_only: bool = False
    fast: bool = False
    """Has a price of its own, which is not in the table."""

    @property
    def prompt(self) -> int:
        """Tokens of the prompt, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


def price_of(model: str) -> Price | None:
    """Return the price of a model by the name in a request or an answer; None: unknown."""
    return PRICES.get(_SUFFIX.sub("", model))


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Return the API's `usage` object in our words; what is missing or no number is 0."""
    written = _count(usage, "cache_creation_input_tokens")
    long = min(_count(_inner(usage, "cache_creation"), "ephemeral_1h_input_tokens"), written)
    return Usage(
        input=_count(usage, "input_tokens"),
        output=_count(usage, "output_tokens"),
        cache_read=_count(usage, "cache_read_input_tokens"),
        cache_write=written - long,
        cache_write_1h=long,
        web_searches=_count(_inner(usage, "server_tool_use"), "web_search_requests"),
        us_only=usage.get("inference_geo") == "us",
        fast=usage.get("speed") == "fast",
    )


def cost_micro_usd(model: str, usage: Usage) -> int | None:
    """Return what `usage` of `model` costs, rounded up; None when no price is known."""
    price = price_of(model)
    if price is None or usage.fast:
        return None
    written = usage.cache_write * CACHE_WRITE_5M + usage.cache_write_1h * CACHE_WRITE_1H
    cost = (
        (usage.input + written) * price.input
        + usage.output * price.output
        + usage.cache_read * price.cache_read
    )
    if price.long_prompt_above is not None and usage.prompt > price.long_prompt_above:
        cost *= price.long_prompt_factor
    cost = cost * (US_ONLY if usage.us_only else 1) + usage.web_searches * WEB_SEARCH_MICRO_USD
    # Sums of decimal prices carry noise in the last bits, which must not cost a micro-dollar.
    return math.ceil(round(cost, 6))


def _inner(usage: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = usage.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _count(usage: Mapping[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value > 0 else 0
