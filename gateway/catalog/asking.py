"""Whether a server that is there is the one that is asked for. Pure. Above: `desk`."""

import json
from collections.abc import Iterator
from typing import Any, cast

from gateway.catalog.pins import Kind, Pin

SAME = {
    "environment": "variables",
    "network": "network",
    "read_only": "folders",
    "allow_source_builds": "source builds",
}
"""Members of metadata that have to be the same, and what people call them."""


def differences(asked: str, there: str, pin: Pin) -> tuple[str, ...]:
    """Return in words in what a server's metadata is not as it would be now; `pin`: its own."""
    try:
        said: object = json.loads(there)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return ("metadata",)
    return tuple(_differing(json.loads(asked), cast("dict[str, Any]", said), pin))


def _differing(asked: dict[str, Any], there: dict[str, Any], pin: Pin) -> Iterator[str]:
    if not _same_command(asked.get("command", []), there.get("command"), pin):
        yield "arguments"
    if _secrets(asked) != _secrets(there):
        yield "secrets"
    for member, word in SAME.items():
        if asked.get(member) != there.get(member):
            yield word


def _same_command(asked: list[str], there: Any, pin: Pin) -> bool:
    if pin.kind is Kind.PYPI and asked[:1] == [pin.package.partition("[")[0]]:
        # By its package's name a program is asked for that may have another one.
        return isinstance(there, list) and asked[1:] == there[1:]
    return asked == there


def _secrets(metadata: dict[str, Any]) -> list[tuple[Any, bool]]:
    """Return the keys; what they are for may have been put in other words."""
    listed: list[dict[str, Any]] = metadata.get("credentials", [])
    return sorted((each.get("key"), each.get("required", True)) for each in listed)
