"""The owner's page of notices."""

from gateway.notify.hearer import NoticeHearer
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
    notify = Notify(desk.channels, desk.outbox, hearer)
    return Shown(
        further=lambda browser: (NotificationPages(browser, notify, desk.store).blueprint(),)
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


async def test_a_stranger_sees_and_changes_nothing(desk: Desk) -> None:
    """Ours."""
    await desk.channel("http://127.0.0.1:9/", name="mine")
    client = shown_with(desk).app.test_client()
    for answer in (await client.get(PATH), await client.post(PATH, form={"do": "remove"})):
        assert answer.status_code in (303, 401, 403)
        assert "mine" not in await answer.get_data(as_text=True)
    assert len(await desk.channels.all()) == 1
