"""Argument types of the tools for webhooks."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.domain.webhook import DAY_S, MissingPath, Scheme
from gateway.webhooks.schemes import MAX_SECRET_CHARS

WebhookScheme = Annotated[
    Scheme,
    Field(
        description=(
            "How senders prove who they are: 'standard' (Standard Webhooks), 'github', 'stripe', "
            "'slack', 'bearer' (Authorization: Bearer with the secret), or 'none': whoever knows "
            "the address may call."
        )
    ),
]
SigningSecret = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_SECRET_CHARS),
    Field(
        description=(
            "The secret that the sender has, as Stripe and Slack give you one. Without it a fresh "
            "one is made, and shown this once."
        )
    ),
]
OverlapS = Annotated[
    float,
    Field(ge=0, le=30 * DAY_S, description="How long the secret until now goes on beside it."),
]
ToleranceS = Annotated[
    int,
    Field(ge=1, le=3600, description="How many seconds a signed timestamp may lie from now."),
]
Missing = Annotated[
    MissingPath,
    Field(
        description=(
            "What a placeholder does whose part the payload lacks: 'empty' text, or 'error', which "
            "refuses the delivery with 422."
        )
    ),
]
RatePerMinute = Annotated[
    int, Field(ge=0, le=60_000, description="Most deliveries a minute; 0 means no limit.")
]
SameBodyS = Annotated[
    int,
    Field(
        ge=0,
        le=7 * DAY_S,
        description=(
            "For how many seconds a delivery without an id of its own is a duplicate of an earlier "
            "one with the same body and starts nothing; 0 means never."
        ),
    ),
]
WebhookBudgetPerDayUsd = Annotated[
    float,
    Field(
        ge=0,
        le=100_000,
        description=(
            "Most US dollars that the webhook's runs may cost in a day; then it answers 503 until "
            "the next day. 0 means no limit."
        ),
    ),
]
MayWait = Annotated[
    bool,
    Field(description="Let senders add ?wait=25 to get the run's result, as its model wrote it."),
]
DeliveryId = Annotated[
    str, Field(description="The delivery's id, as list_webhook_deliveries says.")
]
Limit = Annotated[int, Field(ge=1, le=200, description="How many, newest first.")]
Payload = Annotated[Any, Field(description="What to post, as JSON; a text is posted as it is.")]
StartRun = Annotated[bool, Field(description="Start the run, which costs money.")]
