"""What each kind of channel sends, and that nothing of an address gets out."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from standardwebhooks import Webhook

from gateway.domain.clock import utc_ms
from gateway.domain.notice import USUAL, ChannelKind
from gateway.log_lines import TextFormatter
from gateway.notify.channels import MAX_CHANNELS, Wish
from gateway.notify.errors import AddressRefused, NoSuchChannel, NotSent
from gateway.secret import Secret
from tests.notify.parts import SIGNING, Desk
from tests.notify.receiver import Receiver

CANARY = "canary-of-an-address-Qz81LmXw"


class Inbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail."""
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture
async def mail_server() -> AsyncIterator[tuple[Inbox, int]]:
    """A real SMTP server on loopback."""
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="here"), "127.0.0.1", 0)
    async with server:
        yield inbox, server.sockets[0].getsockname()[1]


async def test_a_mail_is_sent(desk: Desk, mail_server: tuple[Inbox, int]) -> None:
    """Issue 7, 8: e-mail by SMTP, through Apprise."""
    inbox, port = mail_server
    address = f"mailto://127.0.0.1:{port}?from=runner@example.com&to=ann@example.org&user=x"
    channel = await desk.channel(address, ChannelKind.APPRISE)
    assert channel.place == "E-Mail"
    await desk.happen("Job brief failed")
    (envelope,) = inbox.mails
    mail = message_from_bytes(envelope.content, policy=default)
    assert (envelope.rcpt_tos, mail["subject"]) == (["ann@example.org"], "Job brief failed")
    assert "It broke." in str(mail.get_body(("plain",)))


async def test_ntfy_is_posted_to(desk: Desk, receiver: Receiver) -> None:
    """Issue 7, 8: ntfy, through Apprise; a redirect that an address asks for is not followed."""
    host = receiver.url.removeprefix("http://")
    await desk.channel(f"ntfy://{host}/{CANARY}?redirect=yes&retry=5", ChannelKind.APPRISE)
    await desk.happen("Job brief failed")
    (got,) = receiver.all()
    sent = json.loads(got.body)
    assert (sent["topic"], sent["title"]) == (CANARY, "Job brief failed")
    receiver.status = 307
    with pytest.raises(NotSent) as caught:
        await desk.outbox.test("here")
    assert CANARY not in str(caught.value)
    assert [each.path for each in receiver.all()] == ["/"]


async def test_a_signed_webhook_verifies(desk: Desk, receiver: Receiver) -> None:
    """Issue 7, 8: signed as the package of Standard Webhooks verifies it."""
    await desk.channel(f"{receiver.url}/in?key={CANARY}", ChannelKind.WEBHOOK)
    # The package compares times with the machine's clock.
    desk.clock.now = utc_ms()
    notice = await desk.happen("Job brief failed")
    (got,) = receiver.all()
    body = Webhook(SIGNING).verify(got.body, got.headers)
    assert body["type"] == "run_failed"
    assert body["data"] == {"subject": "job_1", "title": notice.title, "text": notice.text}


async def test_slack_gets_text_that_calls_nobody(desk: Desk, receiver: Receiver) -> None:
    """Slack, "Formatting text": `<!channel>` would ring everybody."""
    await desk.channel(receiver.url)
    await desk.happen("Job <!channel> & co")
    (got,) = receiver.all()
    assert json.loads(got.body) == {"text": "*Job &lt;!channel&gt; &amp; co*\nIt broke."}


async def test_a_redirect_is_no_success_and_is_not_followed(desk: Desk, receiver: Receiver) -> None:
    """Ours: an address that the owner named leads nowhere else."""
    await desk.channel(f"{receiver.url}/in", ChannelKind.WEBHOOK)
    receiver.status = 302
    with pytest.raises(NotSent, match="it answered 302"):
        await desk.outbox.test("here")
    assert [got.path for got in receiver.all()] == ["/in"]


async def test_only_the_addresses_of_channels_are_hidden(desk: Desk) -> None:
    """Ours: a refused word would be missing from every log, result and entry."""
    for address, kind in ((CANARY, ChannelKind.WEBHOOK), (CANARY, ChannelKind.APPRISE)):
        with pytest.raises(AddressRefused):
            await desk.channel(address, kind)
    assert desk.redactor.hide_text(CANARY) == CANARY
    address = f"http://127.0.0.1:9/{CANARY}"
    await desk.channel(address, name="slack")
    with pytest.raises(AddressRefused, match="choose another name"):
        await desk.channel(address, name="slack")
    assert CANARY not in desk.redactor.hide_text(CANARY)
    await desk.channels.remove("slack")
    assert desk.redactor.hide_text(CANARY) == CANARY


@pytest.mark.parametrize(
    "option",
    ["template=/etc/hostname", "KeyFile=master.key", "to=x&attach=~/jobs.db", "%74emplate=.."],
)
async def test_no_channel_reads_a_file_of_this_machine(desk: Desk, option: str) -> None:
    """Ours: an address may come from a chat."""
    with pytest.raises(AddressRefused, match="names a file of this machine"):
        await desk.channel(f"json://127.0.0.1:9/?{option}", ChannelKind.APPRISE)
    await desk.channel("json://127.0.0.1:9/?template=d-1234", ChannelKind.APPRISE)


async def test_what_apprise_says_has_nothing_of_the_address(desk: Desk) -> None:
    """Issue 7, 8: its sentences reach rows and pages."""
    await desk.channel(f"json://user:{CANARY}@127.0.0.1:9/{CANARY}", ChannelKind.APPRISE)
    await desk.happen("Job brief failed")
    (channel,) = await desk.channels.all()
    assert channel.error
    assert CANARY not in channel.error


async def test_no_part_of_an_address_gets_out(
    desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 7, 8: neither logs nor rows nor errors have what an address holds."""
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(TextFormatter(desk.redactor))
    receiver.status = 500
    await desk.channel(f"{receiver.url}/{CANARY}/x", name="slack")
    await desk.channel(f"{receiver.url}/?key={CANARY}", ChannelKind.WEBHOOK, name="signed")
    await desk.channel(f"http://127.0.0.1:9/{CANARY}", name="nobody")
    await desk.happen(f"Job {CANARY} failed")
    sent = b"".join(got.body for got in receiver.all())
    shown = [repr(await desk.channels.all()), repr(await desk.store.channels.sealed())]
    errors = {each.error for each in await desk.channels.all()}
    assert errors == {"it answered 500", "it cannot be reached (ConnectError)"}
    assert CANARY not in "".join(shown)
    assert CANARY.encode() not in sent
    assert CANARY not in caplog.text
    assert SIGNING not in caplog.text
    raw = [path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()]
    addresses = [f"/{CANARY}/x".encode(), f"key={CANARY}".encode(), SIGNING.encode()]
    assert not any(address in data for address in addresses for data in raw)


@pytest.mark.parametrize(
    "address", ["ftp://host/x", "http://", "https://host/#part", "host", "http://a b/"]
)
async def test_what_is_no_web_address_is_refused(desk: Desk, address: str) -> None:
    """Ours: nothing is stored of it."""
    with pytest.raises(AddressRefused, match="must be an http or https one"):
        await desk.channel(address)
    assert await desk.channels.all() == ()


async def test_channels_are_few_and_their_names_their_own(desk: Desk) -> None:
    """Ours: every table is bounded."""
    for number in range(MAX_CHANNELS):
        await desk.channel("http://127.0.0.1:9/", name=f"channel {number}")
    with pytest.raises(AddressRefused, match="remove one first"):
        await desk.channel("http://127.0.0.1:9/", name="another")
    await desk.channels.remove("channel 0")
    with pytest.raises(NoSuchChannel, match="no channel 'channel 0'"):
        await desk.outbox.test("channel 0")
    with pytest.raises(AddressRefused, match="choose another name"):
        await desk.channel("http://127.0.0.1:9/", name="channel 1")


async def test_apprise_says_what_it_does_not_know(desk: Desk) -> None:
    """Ours: a slip in an address is told at once, without the address."""
    with pytest.raises(AddressRefused, match="Apprise knows no service") as caught:
        await desk.channel(f"nosuch://{CANARY}", ChannelKind.APPRISE)
    assert CANARY not in str(caught.value)
    with pytest.raises(AddressRefused, match="Only a channel of kind 'webhook'"):
        address, secret = Secret("ntfy://host/x"), Secret(SIGNING)
        await desk.channels.add(Wish("a", ChannelKind.APPRISE, address, USUAL, secret))
