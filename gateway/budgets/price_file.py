"""Reads the owner's file of prices (PRICES_FILE): TOML, strict, with a date and a source."""

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.budgets.prices import CACHE_WRITE_1H, CACHE_WRITE_5M, Price, PriceList

MAX_BYTES = 1024 * 1024
MAX_MODELS = 1000

Dollars = Annotated[float, msgspec.Meta(ge=0, le=100_000)]
"""For a million tokens."""


class PriceFileError(Exception):
    """The file cannot be used; the message completes "names <path>, which ..."."""


class _Model(msgspec.Struct, forbid_unknown_fields=True):
    input: Dollars
    output: Dollars
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    cache_read: Dollars | None = None
    long_prompt_above: Annotated[int, msgspec.Meta(ge=1)] | None = None
    long_prompt_factor: Annotated[float, msgspec.Meta(ge=1, le=100)] = 1.0

    def price(self) -> Price:
        """Return the price; what is left out costs rather too much than too little."""
        short, long = self.cache_write, self.cache_write_1h
        return Price(
            self.input,
            self.output,
            cache_write=self.input * CACHE_WRITE_5M if short is None else short,
            cache_write_1h=self.input * CACHE_WRITE_1H if long is None else long,
            cache_read=self.input if self.cache_read is None else self.cache_read,
            long_prompt_above=self.long_prompt_above,
            long_prompt_factor=self.long_prompt_factor,
        )


class _File(msgspec.Struct, forbid_unknown_fields=True):
    as_of: date
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    models: Annotated[dict[str, _Model], msgspec.Meta(min_length=1, max_length=MAX_MODELS)]


def read_price_file(path: Path) -> PriceList:
    """Return the shipped prices with those of the file before them. Raises PriceFileError."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise PriceFileError(f"cannot be read: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise PriceFileError(f"has more than {MAX_BYTES // 1024} KiB")
    try:
        found = msgspec.toml.decode(text, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PriceFileError(f"is no list of prices: {str(error).rstrip('.')}") from None
    own = {name: model.price() for name, model in found.models.items()}
    return PriceList(own, found.as_of)
