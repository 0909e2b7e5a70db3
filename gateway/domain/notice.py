"""What the owner is told without asking: a notice, the channels it takes, and each sending."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.ids import new_id
from gateway.domain.secret import Sealed


class Occasion(StrEnum):
    """What a notice is about."""

    RUN_FAILED = "run_failed"
    """Runs of a job or webhook failed as often in a row as the owner wants to hear of."""
    RUN_RECOVERED = "run_recovered"
    """The first success after that."""
    BUDGET_REACHED = "budget_reached"
    PAUSED = "paused"
    """The gateway paused a job or a webhook by itself."""
    SERVER_QUARANTINED = "server_quarantined"
    SERVER_RESTORED = "server_restored"
    """A quarantined server serves again."""
    TOOL_WITHHELD = "tool_withheld"
    """A tool's definition changed by itself and waits for the owner."""
    MESSAGE = "message"
    """A server that the owner lets do so sends one."""
    RUN_MISSED = "run_missed"
    """A due time was skipped, or a run expired in the queue."""


USUAL = frozenset(Occasion) - {Occasion.RUN_MISSED}
"""What a channel is told unless its owner says otherwise."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened. Times are integer milliseconds UTC."""

    id: str
    occasion: Occasion
    subject: str
    """Id of a job or webhook, or the name of a server."""
    title: str
    text: str
    at: int


def new_notice(occasion: Occasion, subject: str, title: str, text: str, at: int) -> Notice:
    """Return a notice with an id of its own."""
    return Notice(new_id("notice"), occasion, subject, title, text, at)


class NoticeState(StrEnum):
    """What has become of a notice."""

    NEW = "new"
    TOLD = "told"
    """Handed to each channel that wants it."""
    GATHERED = "gathered"
    """There were too many of its kind; it waits for their summary."""
    SUMMARISED = "summarised"
    RESTORED = "restored"
    """It came with a back-up, in which it was not handed out yet; it may have been told since."""


class SendingState(StrEnum):
    """How far a notice is on its way through one channel."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given_up"
    """It was tried too often, or for too long."""


class ChannelKind(StrEnum):
    """How a channel is spoken to."""

    APPRISE = "apprise"
    """An address of Apprise: mail, ntfy and many services."""
    SLACK = "slack"
    """A POST of ``{"text": ...}``, as Slack, Mattermost and others take it."""
    WEBHOOK = "webhook"
    """A signed POST, as Standard Webhooks describes it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to the owner."""

    id: str
    name: str
    kind: ChannelKind
    place: str
    """The service or the host: what may be shown of the address."""
    occasions: frozenset[Occasion]
    created_at: int
    sent_at: int | None = None
    """When a notice last went out."""
    failed_at: int | None = None
    """When a sending last failed, if none succeeded since."""
    error: str | None = None
    """Why, in one sentence without secrets."""


@dataclass(frozen=True, slots=True)
class SealedChannel:
    """A channel with its sealed address."""

    channel: Channel
    sealed: Sealed = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sending:
    """A notice on its way through one channel."""

    notice: Notice
    channel_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class SendingView:
    """What became of a notice in one channel."""

    channel_id: str
    state: SendingState
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """A notice as its history shows it."""

    notice: Notice
    state: NoticeState
    sendings: tuple[SendingView, ...]
