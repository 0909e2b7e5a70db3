"""Tools for notices: the channels that the owner is told by, and what was sent."""

from dataclasses import dataclass

from fastmcp.tools import tool

from gateway.domain.notice import USUAL, Channel, KeptNotice
from gateway.domain.units import iso, shown
from gateway.notify.channels import Change, Wish
from gateway.notify.errors import NotSent
from gateway.secret import Secret
from gateway.tools.hints import ADD, CHANGE, READ, TRY
from gateway.tools.notification_arguments import (
    Address,
    ChannelName,
    ChannelRef,
    Kind,
    Limit,
    Occasions,
    SigningSecret,
)
from gateway.tools.sentences import Refused
from gateway.tools.services import Services
from gateway.tools.views import iso_or_none


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel, without its address."""

    id: str
    name: str
    kind: str
    place: str
    """The service or the host."""
    occasions: list[str]
    created_at: str
    last_sent_at: str | None
    failed_at: str | None
    """When a sending last failed, if none succeeded since."""
    error: str | None


@dataclass(frozen=True, slots=True)
class ChannelList:
    """Every channel, oldest first."""

    channels: list[ChannelView]


@dataclass(frozen=True, slots=True)
class AddedChannel:
    """A new channel; `secret`, if one was made for it, is shown this once."""

    channel: ChannelView
    message: str
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """A channel as it is now."""

    channel: ChannelView
    message: str


@dataclass(frozen=True, slots=True)
class ChannelDone:
    """What was done."""

    channel_id: str
    message: str


@dataclass(frozen=True, slots=True)
class SentBy:
    """What became of a notice in one channel."""

    channel_id: str
    state: str
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notice and what became of it."""

    id: str
    at: str
    occasion: str
    subject: str
    title: str
    text: str
    state: str
    channels: list[SentBy]


@dataclass(frozen=True, slots=True)
class NoticeList:
    """Notices, newest first."""

    notices: list[NoticeView]


class NotificationTools:
    """list, add, change, remove, test a channel; list what was sent."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._notify = services.notify

    @tool(title="List notification channels", annotations=READ)
    async def list_notification_channels(self) -> ChannelList:
        """List the ways by which the owner is told of failures, pauses and the like."""
        return ChannelList([view_channel(each) for each in await self._notify.channels.all()])

    @tool(title="Add a notification channel", annotations=ADD)
    async def add_notification_channel(
        self,
        name: ChannelName,
        kind: Kind,
        address: Address,
        occasions: Occasions | None = None,
        secret: SigningSecret | None = None,
    ) -> AddedChannel:
        """Have the owner told by mail, chat or a webhook when a job fails, recovers and so on.

        The address holds a password or key as a rule. Better not in a conversation: the owner can
        type it in, with `claude-runner notify add`. Try the channel with test_notification_channel.
        """
        wish = Wish(
            name,
            kind,
            Secret(address),
            USUAL if occasions is None else frozenset(occasions),
            None if secret is None else Secret(secret),
        )
        try:
            channel, fresh = await self._notify.channels.add(wish)
        except NotSent as error:
            raise Refused(f"The address cannot be looked at: {error}.") from None
        made = None if fresh is None else fresh.reveal()
        message = f"Channel {shown(channel.name)} is added; test it once."
        return AddedChannel(view_channel(channel), message, made)

    @tool(title="Change a notification channel", annotations=CHANGE)
    async def update_notification_channel(
        self,
        channel: ChannelRef,
        *,
        name: ChannelName | None = None,
        address: Address | None = None,
        occasions: Occasions | None = None,
        secret: SigningSecret | None = None,
    ) -> ChannelChanged:
        """Change parts of a channel; what is not given stays, its kind always.

        The address is better typed in by the owner, with `claude-runner notify edit`.
        """
        wanted = Change(
            name,
            None if address is None else Secret(address),
            None if occasions is None else frozenset(occasions),
            None if secret is None else Secret(secret),
        )
        try:
            changed = await self._notify.channels.change(channel, wanted)
        except NotSent as error:
            raise Refused(f"The address cannot be looked at: {error}.") from None
        return ChannelChanged(view_channel(changed), f"Channel {shown(changed.name)} is changed.")

    @tool(title="Remove a notification channel", annotations=CHANGE)
    async def remove_notification_channel(self, channel: ChannelRef) -> ChannelDone:
        """Remove a channel for good; what still waits for it is not sent."""
        removed = await self._notify.channels.remove(channel)
        return ChannelDone(removed.id, f"Channel {shown(removed.name)} is removed.")

    @tool(title="Test a notification channel", annotations=TRY)
    async def test_notification_channel(self, channel: ChannelRef) -> ChannelDone:
        """Send a test notice through a channel now, and say whether it was taken."""
        found = await self._notify.channels.find(channel)
        try:
            await self._notify.outbox.test(found.id)
        except NotSent as error:
            raise Refused(f"Channel {shown(found.name)} did not take the test: {error}.") from None
        return ChannelDone(found.id, f"Channel {shown(found.name)} took the test.")

    @tool(title="List notices", annotations=READ)
    async def list_notifications(self, limit: Limit = 50) -> NoticeList:
        """List what the owner was told, or is about to be, and by which channels."""
        found = await self._services.store.notices.newest(limit)
        return NoticeList([view_notice(each) for each in found])


def view_channel(channel: Channel) -> ChannelView:
    """Return a channel as tools show it."""
    return ChannelView(
        id=channel.id,
        name=channel.name,
        kind=channel.kind.value,
        place=channel.place,
        occasions=sorted(channel.occasions),
        created_at=iso(channel.created_at),
        last_sent_at=iso_or_none(channel.sent_at),
        failed_at=iso_or_none(channel.failed_at),
        error=channel.error,
    )


def view_notice(kept: KeptNotice) -> NoticeView:
    """Return a notice as tools show it."""
    notice = kept.notice
    return NoticeView(
        id=notice.id,
        at=iso(notice.at),
        occasion=notice.occasion.value,
        subject=notice.subject,
        title=notice.title,
        text=notice.text,
        state=kept.state.value,
        channels=[
            SentBy(each.channel_id, each.state.value, each.attempts, each.error)
            for each in kept.sendings
        ],
    )
