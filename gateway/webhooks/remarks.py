"""What the owner should know about a webhook, in sentences. Pure."""

from gateway.domain.units import instant
from gateway.domain.webhook import Scheme, Webhook

UNSIGNED = (
    "Scheme 'none': whoever learns the address can start runs; another scheme asks senders for a "
    "signature."
)
PAUSED = (
    "Paused after too many bad signatures in a row; it goes on when it is switched on again "
    "(enabled=true)."
)
NO_BUDGET = "No budget: each delivery may cost any amount; give it a budget for a run."
_OWN_HANDS = frozenset({"Bash", "Write", "Edit", "NotebookEdit"})


def warnings_of(webhook: Webhook, now: int) -> list[str]:
    """Return the warnings: an open scheme, a pause, failures, no budget, dangerous tools.

    `now` is in integer milliseconds UTC.
    """
    found = [UNSIGNED] if webhook.scheme is Scheme.NONE else []
    if webhook.paused_at is not None:
        found.append(PAUSED)
    if is_over_budget(webhook, now):
        until = instant(webhook.paused_until or 0)
        found.append(f"Its budget of the day is spent: it takes nothing before {until}.")
    if webhook.failures:
        times = "Its last run" if webhook.failures == 1 else f"Its last {webhook.failures} runs"
        found.append(f"{times} failed.")
    if webhook.budget_micro_usd is None and webhook.day_budget_micro_usd is None:
        found.append(NO_BUDGET)
    hands = sorted({tool.partition("(")[0] for tool in webhook.tools} & _OWN_HANDS)
    if hands:
        found.append(f"Strangers write part of the prompt of runs that have {', '.join(hands)}.")
    return found


def is_over_budget(webhook: Webhook, now: int) -> bool:
    """Tell whether a webhook is paused because its budget of the day is spent."""
    return webhook.paused_until is not None and webhook.paused_until > now


def state_of(webhook: Webhook, now: int) -> str:
    """Return ``on``, ``off``, or ``paused``, whatever paused it."""
    if not webhook.enabled:
        return "off"
    return "paused" if webhook.paused_at is not None or is_over_budget(webhook, now) else "on"


def tools_sentence(webhook: Webhook) -> str:
    """Return which tools the runs of a webhook have."""
    if not webhook.tools:
        return "Its runs have no tools at all: for a webhook an empty list means none."
    return f"Its runs have these tools and no others: {', '.join(webhook.tools)}."
