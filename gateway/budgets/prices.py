"""What tokens cost: a list with a date and a source, which the owner's own file may extend. Pure.

A dollar for a million tokens is a micro-dollar for one, so prices here are micro-dollars for a
token.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

AS_OF = date(2026, 11, 22)
"""Anthropic's list prices (the pricing page of its API documentation), as the model catalog of
Claude Code 2.1.330 has them."""
OLD_DAYS = 180
"""Models come and prices change a few times a year."""
CACHE_WRITE_5M = 1.25
CACHE_WRITE_1H = 2.0
"""Writing to the prompt cache costs this many times the input price, for every listed model."""
WEB_SEARCH_MICRO_USD = 10_000
US_ONLY = 1.1
"""Factor for requests that must be computed in the United States."""
ALIASES = frozenset({"default", "best", "sonnet", "opus", "haiku", "fable", "opusplan"})
"""Words that the CLI turns into the name of a model; which one, only its request tells."""
_SUFFIX = re.compile(r"(\[1m\]|-\d{8}|-latest)+$")


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars for one token."""

    input: float
    output: float
    cache_write: float
    cache_write_1h: float
    cache_read: float
    long_prompt_above: int | None = None
    """Prompts of more tokens cost `long_prompt_factor` times as much, in and out."""
    long_prompt_factor: float = 1.0


def listed(
    input_: float,
    output: float,
    cache_read: float,
    *,
    long_prompt_above: int | None = None,
    long_prompt_factor: float = 1.0,
) -> Price:
    """Return a price whose writes to the cache cost what they cost for every listed model."""
    return Price(
        input_,
        output,
        cache_write=input_ * CACHE_WRITE_5M,
        cache_write_1h=input_ * CACHE_WRITE_1H,
        cache_read=cache_read,
        long_prompt_above=long_prompt_above,
        long_prompt_factor=long_prompt_factor,
    )


_SONNET = listed(3, 15, 0.3)
_OPUS_4 = listed(15, 75, 1.5)
_OPUS = listed(5, 25, 0.5)
_LARGE = listed(10, 50, 1)
_LARGE_1 = listed(10, 50, 0.25)
_LARGE_2 = listed(8, 40, 0.2)
PRICES: Mapping[str, Price] = {
    "claude-3-5-haiku": listed(0.8, 4, 0.08),
    "claude-haiku-4-5": listed(1, 5, 0.1),
    "claude-haiku-5-5": listed(0.1, 0.5, 0.01, long_prompt_above=100_000, long_prompt_factor=5.0),
    "claude-3-5-sonnet": _SONNET,
    "claude-3-7-sonnet": _SONNET,
    "claude-sonnet-4": _SONNET,
    "claude-sonnet-4-0": _SONNET,
    "claude-sonnet-4-5": _SONNET,
    "claude-sonnet-4-6": _SONNET,
    "claude-sonnet-5": listed(2, 10, 0.2),
    "claude-sonnet-5-5": listed(2, 10, 0.1),
    "claude-opus-4": _OPUS_4,
    "claude-opus-4-0": _OPUS_4,
    "claude-opus-4-1": _OPUS_4,
    "claude-opus-4-5": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-5": _OPUS,
    "claude-opus-5-5": listed(4, 20, 0.2),
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


@dataclass(frozen=True, slots=True)
class PriceList:
    """The shipped prices and, before them, the owner's."""

    own: Mapping[str, Price] = field(default_factory=dict[str, Price])
    own_as_of: date | None = None

    @property
    def as_of(self) -> date:
        """The day of the newer of both lists."""
        return max(AS_OF, self.own_as_of or AS_OF)

    def remark(self, today: date) -> str | None:
        """Return that the prices are old, if they are."""
        if (today - self.as_of).days <= OLD_DAYS:
            return None
        return (
            f"The prices are of {self.as_of}, more than {OLD_DAYS} days ago: compare them with the"
            " provider's, and name what changed in PRICES_FILE."
        )

    def price_of(self, model: str) -> Price | None:
        """Return the price of a model by the name in a request or an answer; None: unknown."""
        plain = _SUFFIX.sub("", model)
        return self.own.get(model) or self.own.get(plain) or PRICES.get(plain)

    def is_unknown(self, model: str) -> bool:
        """Tell whether a run that names this model will ask one without a price."""
        return _SUFFIX.sub("", model) not in ALIASES and self.price_of(model) is None

    def cost_micro_usd(self, model: str, usage: Usage) -> int | None:
        """Return what `usage` of `model` costs, rounded up; None when no price is known."""
        price = self.price_of(model)
        return None if price is None or usage.fast else _cost(price, usage)


def unknown_price(model: str) -> str:
    """Return the sentence for a run that has a money budget and names this model."""
    return (
        f"The price of model {model[:80]!r} is not known, so a run with a money budget cannot use"
        " it; choose another model, put its price into PRICES_FILE, or remove the budget."
    )


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


def _cost(price: Price, usage: Usage) -> int:
    cost = (
        usage.input * price.input
        + usage.output * price.output
        + usage.cache_write * price.cache_write
        + usage.cache_write_1h * price.cache_write_1h
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
