"""Argument types of the tools for notices."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.domain.notice import ChannelKind, Occasion

MAX_ADDRESS_CHARS = 2_000

Kind = Annotated[
    ChannelKind,
    Field(
        description=(
            "'apprise': an address of Apprise, such as mailtos://user:password@example.com, "
            "ntfy://example.com/topic, tgram://token/chat; 'slack': the address of an incoming "
            "webhook of Slack, Mattermost and others; 'webhook': signed as Standard Webhooks."
        )
    ),
]
ChannelName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$"
    ),
    Field(description="A name of your own."),
]
ChannelRef = Annotated[
    str, Field(max_length=100, description="The channel's id or name, as the list says.")
]
Address = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ADDRESS_CHARS),
    Field(description="Where to; it is kept encrypted and never shown again."),
]
Occasions = Annotated[
    list[Occasion],
    Field(min_length=1, description="What it is told; all but run_missed unless given."),
]
SigningSecret = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    Field(description="For kind webhook: what to sign with; a fresh one is made without it."),
]
Limit = Annotated[int, Field(ge=1, le=200, description="How many, newest first.")]
