"""Why a delivery got the answer that it got, in words for the owner. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.domain.delivery import Outcome

REASONS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.ACCEPTED: "It started a run.",
        Outcome.DUPLICATE: "It came before; the run is that of the first time.",
        Outcome.CONFLICT: "Its id came before with another body.",
        Outcome.GREETING: "A trial of the address by its sender, answered without a run.",
        Outcome.BAD_SIGNATURE: "Not signed, or signed with another secret or scheme.",
        Outcome.STALE: "Well signed, at a time too far from now.",
        Outcome.MALFORMED: "Its body is not what its content type says, or its address is wrong.",
        Outcome.MISSING: "Its payload lacks a part that the template needs.",
        Outcome.TOO_LARGE: "Its body is larger than 1 MB.",
        Outcome.UNSUPPORTED: "It was compressed, or neither JSON nor text nor a form.",
        Outcome.RATE_LIMITED: "There were too many, from its address or to this webhook.",
        Outcome.QUEUE_FULL: "Too many runs waited for their turn.",
        Outcome.PAUSED: "The webhook was paused.",
        Outcome.BUDGET: "The day's budget of the webhook, or of all runs, was spent.",
        Outcome.BUSY: "Too many bodies arrived at once, or this one came too slowly.",
    }
)
TAKEN = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.GREETING})
"""Outcomes whose sender got what it wanted; the others are refusals."""
