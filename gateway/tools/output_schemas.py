"""The `output_schema` of jobs, webhooks and runs: what callers give, what is shown."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.jobs.output_schema import read_schema


def changed_schema(old: str | None, given: Mapping[str, Any] | None) -> str | None:
    """Return what a schema becomes: None keeps it, an empty object clears it.

    Raises InvalidOutputSchema.
    """
    if given is None:
        return old
    return read_schema(given) if given else None


def shown_json(text: str | None) -> Any:
    """Return JSON that is kept as text as the value it is, None for none."""
    return None if text is None else json.loads(text)
