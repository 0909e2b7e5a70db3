"""From a webhook and what was posted to it to a run. Pure but for the random marker."""

import secrets
from http import HTTPStatus

from gateway.domain.delivery import Outcome
from gateway.domain.ids import new_id
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.domain.webhook import Webhook
from gateway.jobs.template import MissingPart, render
from gateway.webhooks.refusal import Refused


def prompt_of(webhook: Webhook, payload: object) -> str:
    """Return the template with the payload in it, as data. Raises Refused."""
    try:
        return render(webhook.prompt_template, payload, new_marker(), webhook.missing)
    except MissingPart as error:
        sentence = f"The delivery has no {error.path}, which this webhook needs."
        raise Refused(Outcome.MISSING, HTTPStatus.UNPROCESSABLE_ENTITY, sentence) from None


def run_of(webhook: Webhook, prompt: str, now: int) -> Run:
    """Return a queued run with the webhook's tools and limits, and with nothing else."""
    return Run(
        id=new_id("run"),
        trigger=Trigger.WEBHOOK,
        status=RunStatus.QUEUED,
        prompt=prompt,
        tools=webhook.tools,
        servers=webhook.servers,
        created_at=now,
        webhook_id=webhook.id,
        model=webhook.model,
        max_turns=webhook.max_turns,
        timeout_s=webhook.timeout_s,
        budget_micro_usd=webhook.budget_micro_usd,
        network=webhook.network,
        output_schema=webhook.output_schema,
    )


def new_marker() -> str:
    """Return what stands around outside text in one prompt, and what its sender cannot know."""
    return f"payload-{secrets.token_hex(8)}"
