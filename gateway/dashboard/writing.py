"""What every template may call: amounts and instants as text, attributes of elements."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from jinja2 import Environment
from markupsafe import Markup

from gateway.dashboard.views import duration, milliseconds, money
from gateway.domain.units import counted, instant, size


def iso(ms: int) -> str:
    """Return an instant, in milliseconds UTC, as browsers read it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attributes(pairs: Mapping[str, object]) -> Markup:
    """Return attributes of an element, each after a space.

    True is an attribute without a value; False and None are left out. The names are a template's
    own words, with `_` for `-`.
    """
    given = ((name, "" if value is True else value) for name, value in pairs.items())
    return Markup("").join(
        Markup(' {}="{}"').format(name.replace("_", "-"), value)
        for name, value in given
        if value is not None and value is not False
    )


def add_filters(templates: Environment) -> None:
    """Give templates the filters that docs/dashboard.md lists."""
    filters: dict[str, Callable[..., object]] = {
        "attributes": attributes,
        "counted": counted,
        "duration": duration,
        "instant": instant,
        "iso": iso,
        "milliseconds": milliseconds,
        "money": money,
        "size": size,
    }
    templates.filters.update(filters)  # pyright: ignore[reportUnknownMemberType] - open in Jinja


def add_globals(templates: Environment, **names: object) -> None:
    """Give templates, and the macros that they import, further names."""
    templates.globals.update(names)  # pyright: ignore[reportUnknownMemberType] - open in Jinja
