"""``/notifications``: the channels of the owner, and what was sent by them."""

from collections.abc import Mapping
from http import HTTPStatus

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from gateway.dashboard.browser import Browser
from gateway.dashboard.fields import WrongFields, read_chosen, read_values
from gateway.dashboard.forms import read_form
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.domain.notice import (
    USUAL,
    Channel,
    ChannelKind,
    KeptNotice,
    Occasion,
    SendingState,
)
from gateway.domain.units import instant
from gateway.notify.channel_form import read_change, read_wish
from gateway.notify.errors import AddressRefused, NoSuchChannel, NotSent
from gateway.notify.opening import Notify
from gateway.store import Store
from gateway.vault import SealBroken

SHOWN = 50
KINDS = (
    (ChannelKind.APPRISE.value, "apprise: mail, ntfy, chats and many more"),
    (ChannelKind.SLACK.value, "slack: an incoming webhook of Slack and others"),
    (ChannelKind.WEBHOOK.value, "webhook: a signed POST"),
)


class NotificationPages:
    """The handlers, with what they need."""

    def __init__(self, browser: Browser, notify: Notify, store: Store, live: Live) -> None:
        self._browser = browser
        self._notify = notify
        self._store = store
        self._live = live
        self._seen = Seen("notifications-seen", self._shown)

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("notifications", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/notifications")(self.show)
        pages.post("/notifications")(self.act)
        pages.get("/notifications/new")(self.blank)
        pages.post("/notifications/new")(self.add)
        pages.get("/notifications/<channel>")(self.edit)
        pages.post("/notifications/<channel>")(self.save)
        return pages

    async def show(self) -> str:
        """Every channel, and the newest notices."""
        followed = await self._seen.name()
        return await render_template("notifications.html", followed=followed, **await self._shown())

    async def _shown(self, _: str = "") -> dict[str, object]:
        channels = await self._notify.channels.all()
        names = {channel.id: channel.name for channel in channels}
        found = await self._store.notices.newest(SHOWN)
        return {
            "channels": [_channel_row(each) for each in channels],
            "notices": [_notice_row(each, names) for each in found],
        }

    async def act(self) -> Response | str:
        """Test a channel, or remove it."""
        form = await read_form()
        channel = form.get("channel", "")
        try:
            if form.get("do") == "test":
                return await self._test(channel)
            if form.get("do") == "remove":
                await self._notify.channels.remove(channel)
                return redirect(url_for("notifications.show"), HTTPStatus.SEE_OTHER)
        except NoSuchChannel as error:
            raise NotFound("This channel is gone already; load the page again.") from error
        raise BadRequest("The form does not say what to do.")

    async def blank(self) -> str:
        """The form for a new channel."""
        return await _form(None, {"occasions": sorted(USUAL)})

    async def add(self) -> Response | str | tuple[str, HTTPStatus]:
        """Add a channel; a secret that was made for it is shown this once."""
        values, chosen = await read_values(), await read_chosen("occasion")
        try:
            _, fresh = await self._notify.channels.add(read_wish(values, chosen))
        except (WrongFields, AddressRefused, NotSent) as error:
            return await _again(None, values, chosen, error)
        if fresh is None:
            return redirect(url_for("notifications.show"), HTTPStatus.SEE_OTHER)
        sentence = f"The channel is added. It signs with {fresh.reveal()}; this is shown once."
        return await render_template("message.html", title="Notifications", sentence=sentence)

    async def edit(self, channel: str) -> str:
        """The form with a channel as it is, without its address."""
        found = await self._find(channel)
        return await _form(found, {"name": found.name, "occasions": sorted(found.occasions)})

    async def save(self, channel: str) -> Response | tuple[str, HTTPStatus]:
        """Change a channel, or say what is wrong with the change."""
        found = await self._find(channel)
        values, chosen = await read_values(), await read_chosen("occasion")
        try:
            await self._notify.channels.change(found.id, read_change(values, chosen))
        except (WrongFields, AddressRefused, NotSent, SealBroken) as error:
            return await _again(found, values, chosen, error)
        return redirect(url_for("notifications.show"), HTTPStatus.SEE_OTHER)

    async def _find(self, channel: str) -> Channel:
        try:
            return await self._notify.channels.find(channel)
        except NoSuchChannel as error:
            raise NotFound("This channel is gone already.") from error

    async def _test(self, channel: str) -> str:
        try:
            await self._notify.outbox.test(channel)
        except NotSent as error:
            sentence = f"The channel did not take the test: {error}."
        else:
            sentence = "The channel took the test."
        return await render_template("message.html", title="Notifications", sentence=sentence)

    async def _require_session(self) -> None:
        self._browser.require_session()


async def _form(
    channel: Channel | None,
    values: Mapping[str, object],
    problems: Mapping[str, str] | None = None,
) -> str:
    return await render_template(
        "channel_form.html",
        channel=channel,
        # What was typed of an address or a secret is never sent back.
        values={name: values[name] for name in ("name", "kind", "occasions") if name in values},
        occasions=[occasion.value for occasion in Occasion],
        kinds=KINDS,
        problems=problems or {},
    )


async def _again(
    channel: Channel | None, values: Mapping[str, str], chosen: list[str], error: Exception
) -> tuple[str, HTTPStatus]:
    wrong = error.problems if isinstance(error, WrongFields) else {"address": _told(error)}
    page = await _form(channel, {**values, "occasions": chosen}, wrong)
    return page, HTTPStatus.UNPROCESSABLE_ENTITY


def _told(error: Exception) -> str:
    return f"It cannot be looked at: {error}." if isinstance(error, NotSent) else str(error)


def _channel_row(channel: Channel) -> dict[str, str]:
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": f"{channel.kind}, {channel.place}",
        "occasions": ", ".join(sorted(channel.occasions)),
        "sent": "never" if channel.sent_at is None else instant(channel.sent_at),
        "error": channel.error or "",
        "failed": "" if channel.failed_at is None else instant(channel.failed_at),
    }


def _notice_row(kept: KeptNotice, names: dict[str, str]) -> dict[str, object]:
    sent = {SendingState.SENT: "sent", SendingState.PENDING: "on its way"}
    return {
        "at": instant(kept.notice.at),
        "title": kept.notice.title,
        "text": kept.notice.text,
        "state": kept.state.value,
        "channels": [
            f"{names.get(each.channel_id, each.channel_id)}: {sent.get(each.state, 'given up')}"
            for each in kept.sendings
        ],
    }
