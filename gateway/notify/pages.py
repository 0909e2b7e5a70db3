"""``/notifications``: the channels of the owner, and what was sent by them."""

from http import HTTPStatus

from quart import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from gateway.dashboard.browser import Browser
from gateway.dashboard.forms import read_form
from gateway.domain.notice import Channel, KeptNotice, SendingState
from gateway.domain.units import instant
from gateway.notify.errors import NoSuchChannel, NotSent
from gateway.notify.opening import Notify
from gateway.store import Store

SHOWN = 50


class NotificationPages:
    """The handlers, with what they need."""

    def __init__(self, browser: Browser, notify: Notify, store: Store) -> None:
        self._browser = browser
        self._notify = notify
        self._store = store

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("notifications", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.get("/notifications")(self.show)
        pages.post("/notifications")(self.act)
        return pages

    async def show(self) -> str:
        """Every channel, and the newest notices."""
        channels = await self._notify.channels.all()
        names = {channel.id: channel.name for channel in channels}
        found = await self._store.notices.newest(SHOWN)
        return await render_template(
            "notifications.html",
            channels=[_channel_row(each) for each in channels],
            notices=[_notice_row(each, names) for each in found],
        )

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
