"""The owner's page of notices."""

import time

from gateway.dashboard.live import Live
from gateway.notify.hearer import NoticeHearer
from gateway.notify.messages import Messages
from gateway.notify.opening import Notify
from gateway.notify.pages import NotificationPages
from tests.dashboard.parts import Shown, send, sign_in
from tests.notify.parts import Desk
from tests.notify.receiver import Receiver

PATH = "/notifications"
HOSTILE = "<script>alert(1)</script>"


def shown_with(desk: Desk) -> Shown:
    """Return a dashboard that has the page."""
    hearer = NoticeHearer(desk.store.notices, desk.clock.now_ms)
    messages = Messages(desk.store.notices, desk.store.channels, desk.clock.now_ms)
    notify = Notify(desk.channels, desk.outbox, hearer, messages)
    live = Live(time.monotonic)
    return Shown(
        followed=live,
        further=lambda browser: (NotificationPages(browser, notify, desk.store, live).blueprint(),),
    )


async def test_the_owner_sees_tests_and_removes_channels(desk: Desk, receiver: Receiver) -> None:
    """Issue 7, 8: what was sent is visible, without an address; names are text."""
    channel = await desk.channel(f"{receiver.url}/key-of-the-owner-92Lq", name=HOSTILE)
    await desk.happen(f"Job {HOSTILE} failed")
    client = await sign_in(shown_with(desk))
    page = await (await client.get(PATH)).get_data(as_text=True)
    assert HOSTILE not in page
    assert "key-of-the-owner" not in page
    assert page.count("&lt;script&gt;") >= 3
    assert f"{receiver.url.split(':')[1].strip('/')}" in page
    tested = await send(client, PATH, {"do": "test", "channel": channel.id}, page=PATH)
    assert "The channel took the test." in await tested.get_data(as_text=True)
    receiver.status = 500
    tested = await send(client, PATH, {"do": "test", "channel": channel.id}, page=PATH)
    assert "did not take the test: it answered 500." in await tested.get_data(as_text=True)
    assert len(receiver.all()) == 3
    wrong = await send(client, PATH, {"do": "burn", "channel": channel.id}, page=PATH)
    assert wrong.status_code == 400
    removed = await send(client, PATH, {"do": "remove", "channel": channel.id}, page=PATH)
    assert removed.status_code == 303
    assert await desk.channels.all() == ()


async def test_a_channel_is_added_and_changed(desk: Desk, receiver: Receiver) -> None:
    """Issue 7, 8: what is not given stays; the address is never on a page; wrong input changes
    nothing and is said at its field."""
    client, new = await sign_in(shown_with(desk)), f"{PATH}/new"
    form = {"name": "mine", "kind": "webhook", "occasion": "run_failed", "secret": ""}
    form |= {"address": f"{receiver.url}/key-of-the-owner-92Lq"}
    wrong = await send(client, new, {**form, "address": "no address"}, page=new)
    assert (wrong.status_code, await desk.channels.all()) == (422, ())
    assert 'id="error-address"' in await wrong.get_data(as_text=True)
    made = await (await send(client, new, form, page=new)).get_data(as_text=True)
    assert "It signs with whsec_" in made
    (channel,) = await desk.channels.all()
    desk.clock.now += 1
    await desk.channel("http://127.0.0.1:9/", name="other")
    one = f"{PATH}/{channel.id}"
    taken = await send(client, one, {"name": "other", "occasion": "paused"}, page=one)
    assert "There is a channel" in await taken.get_data(as_text=True)
    none = await send(client, one, {"name": "mine"}, page=one)
    assert "Choose what it is told." in await none.get_data(as_text=True)
    assert (await desk.channels.all())[0] == channel
    done = await send(client, one, {"name": "ours", "occasion": "paused"}, page=one)
    assert done.status_code == 303
    (changed, _) = await desk.channels.all()
    assert (changed.id, changed.name, changed.place) == (channel.id, "ours", channel.place)
    assert changed.occasions == {"paused"}
    await desk.outbox.test(channel.id)
    before = receiver.one()
    address = f"{receiver.url}/another-key-51Wx"
    again = {"name": "ours", "occasion": "paused", "address": address}
    assert (await send(client, one, again, page=one)).status_code == 303
    await desk.outbox.test(channel.id)
    after = receiver.one()
    assert (before.path, after.path) == ("/key-of-the-owner-92Lq", "/another-key-51Wx")
    assert "webhook-signature" in {name.lower() for name in after.headers}
    page = await (await client.get(one)).get_data(as_text=True)
    assert "another-key" not in page
    assert desk.redactor.hide_text("another-key-51Wx") != "another-key-51Wx"
    assert desk.redactor.hide_text("key-of-the-owner-92Lq") == "key-of-the-owner-92Lq"
    assert (await client.get(f"{PATH}/channel_none")).status_code == 404


async def test_a_stranger_sees_and_changes_nothing(desk: Desk) -> None:
    """Ours."""
    await desk.channel("http://127.0.0.1:9/", name="mine")
    client = shown_with(desk).app.test_client()
    for answer in (await client.get(PATH), await client.post(PATH, form={"do": "remove"})):
        assert answer.status_code in (303, 401, 403)
        assert "mine" not in await answer.get_data(as_text=True)
    assert len(await desk.channels.all()) == 1
