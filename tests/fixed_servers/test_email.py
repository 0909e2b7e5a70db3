"""The e-mail server's parts, against a real SMTP server and stand-ins of the providers."""

import json
import os
import socket
import threading
from base64 import b64decode, b64encode
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from mailing.attachments import MAX_BYTES, Folder
from mailing.deadline import Deadline
from mailing.errors import MailError
from mailing.message import Letter, compose, encode
from mailing.office import Office
from mailing.settings import read_settings
from tests.fixed_servers.mail_server import PASSWORD, USER, PostOffice, post_office
from tests.notify.receiver import Receiver, receiving
from tests.origin import certify

ENCODED = "=?utf-8?q?hi=0D=0AX-Evil=3A_1=0D=0A=0D=0Abody?="
"""What Python writes as a header of its own, an empty line and a body."""
KEY = "canary-of-a-provider-key-5512"
ANN, BOB, CAT = "Änn Öst <ann@example.org>", "bob@example.org", "cat@bücher.example"
GIVEN: dict[str, Any] = {"to": [ANN], "subject": "Grüße, \N{SNOWMAN}", "text": "Hällo\n.\nend"}
EVERYTHING: dict[str, Any] = {
    **GIVEN,
    "cc": [CAT],
    "bcc": [BOB],
    "reply_to": ["me@example.com"],
    "html": "<p>Hällo</p>",
    "attachments": ["Bericht ü.pdf", "in/notes.txt"],
}


@dataclass
class Clock:
    """Goes when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def jump(self) -> None:
        """Let a minute go by."""
        self.now += 60


class Desk:
    """A DATA_DIR and an environment, as the server has them."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.environ = {
            "SENDER_EMAIL": "Runner <runner@example.com>",
            "EMAIL_ALLOWED_RECIPIENTS": "example.org, Cat@bücher.example",
        }
        (data_dir / "in").mkdir()
        (data_dir / "Bericht ü.pdf").write_bytes(b"%PDF\0\xff")
        (data_dir / "in" / "notes.txt").write_text("notes", encoding="utf-8")

    def office(self, **more: str) -> Office:
        return Office(read_settings({**self.environ, **more}), Folder(self.data_dir))

    async def send(
        self, given: dict[str, Any], deadline: Deadline | None = None, /, **more: str
    ) -> dict[str, Any]:
        """Send as the tool does."""
        return await to_thread.run_sync(partial(self.send_now, given, deadline, **more))

    def send_now(
        self, given: dict[str, Any], deadline: Deadline | None = None, /, **more: str
    ) -> dict[str, Any]:
        rest: dict[str, Any] = {"cc": [], "bcc": [], "reply_to": [], "text": "", "html": ""}
        wish: dict[str, Any] = {**rest, **given}
        names, dry_run = wish.pop("attachments", []), wish.pop("dry_run", False)
        letter, until = Letter.of(**wish), deadline or Deadline()
        return self.office(**more).send(letter, names, dry_run=dry_run, deadline=until)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """The folder of a server without a provider."""
    (tmp_path / "data").mkdir()
    return Desk(tmp_path / "data")


@pytest.fixture
def provider() -> Generator[Receiver]:
    """A provider's HTTP interface."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, which is its own authority, and its key."""
    return certify(tmp_path_factory.mktemp("certificate"), "localhost")


def smtp(office: PostOffice, **more: str) -> dict[str, str]:
    """Return the variables that lead to a mail server."""
    return {"SMTP_HOST": "localhost", "SMTP_PORT": str(office.port), **more}


def parse(content: bytes) -> EmailMessage:
    """Return a message as a mail reader sees it."""
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def lines(part: Any) -> str:
    """Return the text of a part; a mail's lines end with CRLF."""
    return part.get_content().replace("\r\n", "\n")


async def test_a_mail_leaves_as_a_correct_mime_message(desk: Desk) -> None:
    """Issue 9: alternative inside of mixed, bcc in the envelope alone, everything as given."""
    async with post_office() as office:
        said = await desk.send(EVERYTHING, **smtp(office))
    (envelope,) = office.mails
    everybody = ["ann@example.org", "cat@xn--bcher-kva.example", "bob@example.org"]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("runner@example.com", everybody)
    assert envelope.content.isascii()
    assert b"bob@" not in envelope.content
    mail = parse(envelope.content)
    assert {
        name: str(value) for name, value in mail.items() if name not in ("Date", "Message-ID")
    } == {
        "From": "Runner <runner@example.com>",
        "To": "Änn Öst <ann@example.org>",
        "Cc": "cat@xn--bcher-kva.example",
        "Reply-To": "me@example.com",
        "Subject": "Grüße, \N{SNOWMAN}",
        "MIME-Version": "1.0",
        "Content-Type": str(mail["Content-Type"]),
    }
    assert parsedate_to_datetime(mail["Date"]).tzinfo is not None
    assert mail["Message-ID"].endswith("@example.com>")
    assert said["message_id"] == mail["Message-ID"]
    body, pdf, notes = mail.iter_parts()
    assert (mail.get_content_type(), body.get_content_type()) == (
        "multipart/mixed",
        "multipart/alternative",
    )
    text, html = body.iter_parts()
    assert (text.get_content_type(), lines(text)) == ("text/plain", "Hällo\n.\nend\n")
    assert (html.get_content_type(), lines(html)) == ("text/html", "<p>Hällo</p>\n")
    assert (pdf.get_content_type(), pdf.get_filename(), pdf.get_content()) == (
        "application/pdf",
        "Bericht ü.pdf",
        b"%PDF\0\xff",
    )
    assert (notes.get_content_type(), notes.get_filename()) == ("text/plain", "notes.txt")


async def test_starttls_and_the_password_are_used(
    desk: Desk, certificate: tuple[Path, Path]
) -> None:
    """Issue 9: a mail server with STARTTLS and a user, whose certificate is looked at."""
    async with post_office(certificate, auth=True) as office:
        near = smtp(office, SMTP_SECURITY="starttls", SMTP_USERNAME=USER)
        trusting = {**near, "EMAIL_CA_FILE": str(certificate[0])}
        await desk.send(GIVEN, **trusting, SMTP_PASSWORD=PASSWORD)
        assert office.secured == [True]
        with pytest.raises(MailError, match="password is refused: 535") as wrong:
            await desk.send(GIVEN, **trusting, SMTP_PASSWORD="other-canary")
        assert "canary" not in str(wrong.value)
        with pytest.raises(MailError, match="certificate is not trusted"):
            await desk.send(GIVEN, **near, SMTP_PASSWORD=PASSWORD)
    assert len(office.mails) == 1
    assert desk.office(**near).status()["left_today"] == 99


async def test_tls_from_the_first_byte_is_spoken(
    desk: Desk, certificate: tuple[Path, Path]
) -> None:
    """RFC 8314: implicit TLS, as port 465 has it."""
    async with post_office(certificate, implicit=True) as office:
        more = {"SMTP_SECURITY": "tls", "EMAIL_CA_FILE": str(certificate[0])}
        await desk.send(GIVEN, **smtp(office), **more)
    assert office.mails


async def test_a_server_without_starttls_gets_nothing_where_tls_is_wanted(desk: Desk) -> None:
    """Ours: the way to a mail server never falls back to plain text."""
    async with post_office() as office:
        with pytest.raises(MailError, match="STARTTLS"):
            await desk.send(GIVEN, **smtp(office, SMTP_SECURITY="starttls"))
    assert not office.mails
    with pytest.raises(MailError, match="on this machine only"):
        desk.office(SMTP_HOST="mail.example.com", SMTP_SECURITY="none")


async def test_letters_beyond_ascii_before_the_at_need_smtputf8(desk: Desk) -> None:
    """RFC 6531: the address travels as it is, and the header too."""
    async with post_office() as office:
        await desk.send({**GIVEN, "to": ["jürgen@example.org"]}, **smtp(office))
    (envelope,) = office.mails
    assert envelope.rcpt_tos == ["jürgen@example.org"]
    assert "\r\nTo: jürgen@example.org\r\n".encode() in envelope.content


async def test_a_recipient_that_the_server_refuses_is_told_and_not_counted(desk: Desk) -> None:
    """Ours: the others have the mail."""
    async with post_office() as office:
        both = {**GIVEN, "to": [ANN, "nobody@example.org"]}
        said = await desk.send(both, **smtp(office))
        assert said["refused"] == {"nobody@example.org": "550 5.1.1 no such user"}
        assert said["left_today"] == 99
        with pytest.raises(MailError, match="takes none of the recipients"):
            await desk.send({**GIVEN, "to": ["nobody@example.org"]}, **smtp(office))
    assert [each.rcpt_tos for each in office.mails] == [["ann@example.org"]]
    assert desk.office(**smtp(office)).status()["left_today"] == 99


async def test_a_mail_that_may_have_gone_is_not_sent_again(desk: Desk) -> None:
    """Issue 9: never twice. Who asked is told that nobody knows, and it stays counted."""
    async with post_office() as office:
        office.answer = ""
        with pytest.raises(MailError, match="may have been sent"):
            await desk.send(GIVEN, **smtp(office))
        assert len(office.mails) == 1
        office.answer = "554 5.7.1 no"
        with pytest.raises(MailError, match=r"refused: 554 5\.7\.1 no"):
            await desk.send(GIVEN, **smtp(office))
    assert desk.office(**smtp(office)).status()["left_today"] == 99


async def test_a_mail_that_took_too_long_is_not_sent(desk: Desk) -> None:
    """Ours: none leaves when its sender may have been told that it timed out.

    Each answer comes in time; together they do not.
    """
    clock = Clock()
    async with post_office() as office:
        office.before_answer = clock.jump
        with pytest.raises(MailError, match="longer than 90 seconds") as late:
            await desk.send({**GIVEN, "cc": [BOB]}, Deadline(clock=clock), **smtp(office))
        assert "may have been" not in str(late.value)
        assert (clock.now, office.mails) == (120, [])
    assert desk.office(**smtp(office)).status()["left_today"] == 100


async def test_an_answer_without_end_is_not_waited_for(desk: Desk) -> None:
    """Ours: after the message nobody knows, and that is told at the deadline."""
    clock = Clock()
    async with post_office() as office:
        office.answer, office.before_answer = "250-wait", clock.jump
        why = r"longer than 90 seconds\. The mail may have been sent"
        with pytest.raises(MailError, match=why):
            await desk.send(GIVEN, Deadline(clock=clock), **smtp(office))
        assert (clock.now, len(office.mails)) == (120, 1)
    assert desk.office(**smtp(office)).status()["left_today"] == 99


def test_a_provider_that_takes_too_long_is_left(desk: Desk, provider: Receiver) -> None:
    """Ours: what was asked may be done; what was not asked in time is not asked at all."""
    keys = {"RESEND_API_KEY": KEY, "RESEND_URL": provider.url}
    answer, clock = threading.Event(), Clock()
    late = Deadline(0.3, clock)
    clock.jump()
    with pytest.raises(MailError, match=r"^the delivery took longer than 0\.3 seconds$"):
        desk.send_now(GIVEN, late, **keys)
    assert not provider.all()
    provider.before_answer = answer.wait
    try:
        with pytest.raises(MailError, match="The mail may have been sent"):
            desk.send_now(GIVEN, Deadline(0.3, clock), **keys)
    finally:
        answer.set()
    assert desk.office(**keys).status()["left_today"] == 99


@pytest.mark.parametrize(
    "answer, why",
    [
        (b"403 Add it to its hosts.\r\ncontent-length: 0\r\n\r\n", "403 Add it to its hosts"),
        # The greeting comes in the same breath as the proxy's word.
        (b"200 Connection established\r\n\r\n554 no service\r\n", "answered 554 no service"),
    ],
)
def test_a_mail_server_is_reached_through_the_proxy_of_the_sandbox(
    desk: Desk, answer: bytes, why: str
) -> None:
    """Ours: CONNECT to host and port; what comes after the proxy's answer is the server's."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, ThreadPoolExecutor(1) as beside:
        proxy.settimeout(30)

        def attend() -> bytes:
            near, _ = proxy.accept()
            with near:
                asked = near.recv(4096)
                near.sendall(b"HTTP/1.1 " + answer)
                return asked

        seen = beside.submit(attend)
        way = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        with pytest.raises(MailError, match=rf"mail\.example\.com:587: .*{why}"):
            desk.send_now(GIVEN, SMTP_HOST="mail.example.com", HTTPS_PROXY=way)
        assert seen.result().startswith(b"CONNECT mail.example.com:587 HTTP/1.")


def test_sendgrid_is_given_the_mail(desk: Desk, provider: Receiver) -> None:
    """SendGrid, "Mail Send": the shape of its version 3."""
    provider.status = 202
    said = desk.send_now(EVERYTHING, SENDGRID_API_KEY=KEY, SENDGRID_URL=provider.url)
    got = provider.one()
    assert (got.path, got.headers["authorization"]) == ("/v3/mail/send", f"Bearer {KEY}")
    assert json.loads(got.body) == {
        "personalizations": [
            {
                "to": [{"email": "ann@example.org", "name": "Änn Öst"}],
                "cc": [{"email": "cat@xn--bcher-kva.example"}],
                "bcc": [{"email": "bob@example.org"}],
            }
        ],
        "from": {"email": "runner@example.com", "name": "Runner"},
        "reply_to_list": [{"email": "me@example.com"}],
        "subject": "Grüße, \N{SNOWMAN}",
        "content": [
            {"type": "text/plain", "value": "Hällo\n.\nend"},
            {"type": "text/html", "value": "<p>Hällo</p>"},
        ],
        "attachments": [
            {
                "filename": "Bericht ü.pdf",
                "type": "application/pdf",
                "content": b64encode(b"%PDF\0\xff").decode(),
                "disposition": "attachment",
            },
            {
                "filename": "notes.txt",
                "type": "text/plain",
                "content": b64encode(b"notes").decode(),
                "disposition": "attachment",
            },
        ],
    }
    assert (said["provider"], said["sent"], said["left_today"]) == ("sendgrid", True, 97)


def test_resend_is_given_the_mail(desk: Desk, provider: Receiver) -> None:
    """Resend, "Send Email"."""
    provider.body = b'{"id": "49a3999c"}'
    said = desk.send_now(EVERYTHING, RESEND_API_KEY=KEY, RESEND_URL=provider.url)
    got = provider.one()
    assert (got.path, got.headers["authorization"]) == ("/emails", f"Bearer {KEY}")
    sent = json.loads(got.body)
    assert [b64decode(each.pop("content")) for each in sent["attachments"]] == [
        b"%PDF\0\xff",
        b"notes",
    ]
    assert sent == {
        "from": "Runner <runner@example.com>",
        "to": ["Änn Öst <ann@example.org>"],
        "cc": ["cat@xn--bcher-kva.example"],
        "bcc": ["bob@example.org"],
        "reply_to": ["me@example.com"],
        "subject": "Grüße, \N{SNOWMAN}",
        "text": "Hällo\n.\nend",
        "html": "<p>Hällo</p>",
        "attachments": [
            {"filename": "Bericht ü.pdf", "content_type": "application/pdf"},
            {"filename": "notes.txt", "content_type": "text/plain"},
        ],
    }
    assert said["provider_id"] == "49a3999c"


def test_mailgun_is_given_the_message_itself(desk: Desk, provider: Receiver) -> None:
    """Mailgun, "Send an email in MIME format": recipients beside the message, bcc too."""
    provider.body = b'{"id": "<1@example.com>", "message": "Queued. Thank you."}'
    keys = {"MAILGUN_API_KEY": KEY, "MAILGUN_DOMAIN": "mg.example.com"}
    desk.send_now(EVERYTHING, **keys, MAILGUN_URL=provider.url)
    got = provider.one()
    assert got.path == "/v3/mg.example.com/messages.mime"
    assert got.headers["authorization"] == f"Basic {b64encode(f'api:{KEY}'.encode()).decode()}"
    kind = f"content-type: {got.headers['content-type']}\r\n\r\n"
    *recipients, mime = parse(kind.encode() + got.body).iter_parts()
    assert [each.get_content().strip() for each in recipients] == [
        "ann@example.org",
        "cat@xn--bcher-kva.example",
        "bob@example.org",
    ]
    (mail,) = mime.iter_parts()
    assert (mail["Subject"], mail["Bcc"]) == ("Grüße, \N{SNOWMAN}", None)


def test_what_a_provider_answers_is_told_without_the_key(desk: Desk, provider: Receiver) -> None:
    """Issue 9: its reason, and whether the mail may be on its way all the same."""
    keys = {"SENDGRID_API_KEY": KEY, "SENDGRID_URL": provider.url}
    provider.status = 401
    provider.body = json.dumps({"errors": [{"message": f"The key {KEY} is revoked"}]}).encode()
    with pytest.raises(MailError) as caught:
        desk.send_now(GIVEN, **keys)
    assert str(caught.value) == "sendgrid refused: 401 The key •••• is revoked"
    assert desk.office(**keys).status()["left_today"] == 100
    provider.status, provider.body = 503, b"<html>"
    with pytest.raises(MailError, match=r"answered 503: without a reason\. The mail may have been"):
        desk.send_now(GIVEN, **keys)
    assert desk.office(**keys).status()["left_today"] == 99
    provider.status = 302
    with pytest.raises(MailError, match="refused: 302"):
        desk.send_now(GIVEN, **keys)
    # One request for each, and none elsewhere.
    assert [each.path for each in provider.all()] == ["/v3/mail/send"] * 3
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(MailError, match="cannot be reached"):
        desk.send_now(GIVEN, SENDGRID_API_KEY=KEY, SENDGRID_URL=nowhere)


def test_the_first_provider_with_credentials_is_taken_or_the_one_that_is_named(desk: Desk) -> None:
    """Issue 9: chosen by which credentials are set; what is missing is said."""
    with pytest.raises(
        MailError, match=r"No provider is set up\. Set the credentials of one: SEND"
    ):
        desk.office(MAILGUN_API_KEY=KEY)
    keys = {"SMTP_HOST": "mail.example.com", "RESEND_API_KEY": KEY}
    assert desk.office(**keys).status()["provider"] == "resend"
    assert desk.office(**keys, EMAIL_PROVIDER="smtp").status()["provider"] == "smtp"
    with pytest.raises(MailError, match="EMAIL_PROVIDER is 'mailgun', which is not one of"):
        desk.office(**keys, EMAIL_PROVIDER="mailgun")
    desk.environ.pop("SENDER_EMAIL")
    with pytest.raises(MailError, match="SENDER_EMAIL is not set"):
        desk.office(**keys)


@pytest.mark.parametrize(
    "key, value, why",
    [
        ("SMTP_HOST", "a b\r\nc", "SMTP_HOST is"),
        ("SMTP_PORT", "0", "a whole number from 1 to 65535"),
        ("EMAIL_DAILY_CAP", "many", "a whole number from 1 to 10000"),
        ("EMAIL_DRY_RUN", "maybe", "write yes or no"),
        ("SMTP_SECURITY", "ssl", "write starttls, tls or none"),
        ("SENDER_EMAIL", "runner", "is no e-mail address"),
    ],
)
def test_a_wrong_setting_is_named(desk: Desk, key: str, value: str, why: str) -> None:
    """Ours: which one, and what to write."""
    with pytest.raises(MailError, match=why):
        desk.office(**{"SMTP_HOST": "mail.example.com", key: value})


def test_a_providers_address_is_https(desk: Desk) -> None:
    """Ours: a key never travels in clear."""
    with pytest.raises(MailError, match=r"RESEND_URL .* write an https address"):
        desk.office(RESEND_API_KEY=KEY, RESEND_URL="http://api.example.com")


def test_only_allowed_recipients_get_mail(desk: Desk, provider: Receiver) -> None:
    """Issue 9: addresses and domains; without a list the sender alone."""
    keys = {"SENDGRID_API_KEY": KEY, "SENDGRID_URL": provider.url}

    def send(*to: str, allowed: str, bcc: tuple[str, ...] = ()) -> None:
        given = {**GIVEN, "to": list(to), "bcc": list(bcc)}
        desk.send_now(given, **keys, EMAIL_ALLOWED_RECIPIENTS=allowed)

    send("Ann@Example.org", "dan@mail.example.com", allowed="ann@example.org,@mail.example.com")
    send("runner@example.com", allowed="")
    send("who@ever.example", allowed="*")
    for to, allowed in (
        ("bob@example.org", "ann@example.org"),
        ("ann@sub.example.org", "example.org"),
        ("ann@notexample.org", "example.org"),
        ("ann@example.com", ""),
    ):
        with pytest.raises(MailError, match=f"Mail may not go to {to}"):
            send(to, allowed=allowed)
    with pytest.raises(MailError, match=r"Mail may not go to bob@example\.net"):
        send("ann@example.org", allowed="example.org", bcc=("bob@example.net",))
    assert len(provider.all()) == 3


def test_the_days_cap_counts_recipients_and_survives_a_restart(
    desk: Desk, provider: Receiver
) -> None:
    """Issue 9: a daily cap; the next day begins anew (UTC)."""
    keys = {"SENDGRID_API_KEY": KEY, "SENDGRID_URL": provider.url, "EMAIL_DAILY_CAP": "3"}
    assert desk.send_now({**GIVEN, "cc": [BOB]}, **keys)["left_today"] == 1
    with pytest.raises(MailError, match=r"cap of 3 recipients a day .* leaves 1 today"):
        desk.send_now({**GIVEN, "cc": [BOB]}, **keys)
    assert desk.office(**keys).status()["left_today"] == 1
    kept = desk.data_dir / ".state" / "sent.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text("utf-8")), "day": "2020-01-01"}))
    assert desk.office(**keys).status()["left_today"] == 3
    kept.write_text("{")
    with pytest.raises(MailError, match=r"cannot be read .*; remove it"):
        desk.send_now(GIVEN, **keys)
    assert len(provider.all()) == 1


def test_a_dry_run_checks_everything_and_sends_nothing(desk: Desk, provider: Receiver) -> None:
    """Issue 9: asked for, or by the owner's setting."""
    keys = {"SENDGRID_API_KEY": KEY, "SENDGRID_URL": provider.url}
    for said in (
        desk.send_now({**GIVEN, "dry_run": True}, **keys),
        desk.send_now(GIVEN, **keys, EMAIL_DRY_RUN="yes"),
    ):
        assert (said["sent"], said["dry_run"]) == (False, True)
        assert "From: Runner <runner@example.com>" in said["preview"]
    with pytest.raises(MailError, match="Mail may not go"):
        desk.send_now({**GIVEN, "to": ["a@b.example"], "dry_run": True}, **keys)
    assert not provider.all()
    assert desk.office(**keys).status()["left_today"] == 100


@pytest.mark.parametrize(
    "wrong, why",
    [
        ({"to": []}, "at least one recipient"),
        ({"to": ["ann@example.org\r\nBcc: eve@example.org"]}, "line break"),
        ({"subject": "Hi\nBcc: eve@example.org"}, "subject holds a line break"),
        ({"reply_to": ["a@b.example\n"]}, None),
        ({"reply_to": ["a\x00@b.example"]}, "control character"),
        ({"subject": ENCODED}, "subject holds an encoded word"),
        ({"subject": f"Grüße{ENCODED}"}, "subject holds an encoded word"),
        ({"to": [f"{ENCODED} <ann@example.org>"]}, "encoded word"),
        ({"cc": [f'"{ENCODED}" <ann@example.org>']}, "encoded word"),
        ({"reply_to": [f'"{ENCODED[:-1]}\\=" <ann@example.org>']}, "encoded word"),
        ({"to": ["=?utf-8?q?=0A?=@example.org"]}, "encoded word"),
        ({"to": ["ann@example.org, bob@example.org"]}, "no e-mail address"),
        ({"to": ["ann at example.org"]}, "no e-mail address"),
        ({"to": ["<ann@example.org> x"]}, "no e-mail address"),
        ({"to": ["a..b@example.org"]}, "no e-mail address"),
        ({"to": ["ann@exa mple.org"]}, "no e-mail address|domain"),
        ({"to": ["ann@-example.org"]}, "domain"),
        ({"to": [f"{'a' * 330}@example.org"]}, "no e-mail address"),
        ({"to": [f"a{n}@example.org" for n in range(51)]}, "50 recipients"),
        ({"text": ""}, "empty"),
        ({"text": "x" * 1_000_001}, "1000000 each"),
        ({"subject": "x" * 501}, "500 characters"),
    ],
)
def test_what_is_no_mail_is_refused(desk: Desk, wrong: dict[str, Any], why: str | None) -> None:
    """Issue 9: sizes bounded, no header of a caller's making."""
    given = {**GIVEN, **wrong, "dry_run": True}
    if why is None:
        # Blanks around an address are nobody's wish.
        assert "\nBcc" not in desk.send_now(given, RESEND_API_KEY=KEY)["preview"]
        return
    with pytest.raises(MailError, match=why):
        desk.send_now(given, RESEND_API_KEY=KEY)


def test_an_attachments_name_is_no_header(desk: Desk) -> None:
    """Ours: encoded words are decoded in parameters, too."""
    name = "=?utf-8?q?a=0D=0AX-Evil=3A_1?=.txt"
    Folder(desk.data_dir).save(name, "x", "")
    with pytest.raises(MailError, match="name of an attachment holds an encoded word"):
        desk.send_now({**GIVEN, "attachments": [name], "dry_run": True}, RESEND_API_KEY=KEY)


@pytest.mark.parametrize("subject, name", [(ENCODED, "Ann"), ("Hi", ENCODED)])
def test_a_header_never_becomes_two(subject: str, name: str) -> None:
    """Ours: whatever came through the checks, what is written is looked at."""
    ann = Address(name, "ann", "example.org")
    letter = Letter((ann,), (), (), (), subject=subject, text="x", html="")
    with pytest.raises(MailError, match=r"The header (Subject|From) would hold a line break"):
        encode(compose(letter, ann, ()), letter, ann)


@pytest.mark.parametrize(
    "subject", ["Is 1 =? 2", "=?", "a =?utf-8?q?b", "?= x =?", "Ü =? ?=", "long =? " * 40]
)
def test_a_subject_that_only_looks_encoded_arrives_as_it_is(desk: Desk, subject: str) -> None:
    """Ours: only what a reader would decode is refused."""
    said = desk.send_now({**GIVEN, "subject": subject, "dry_run": True}, RESEND_API_KEY=KEY)
    assert parse(said["preview"].encode())["Subject"] == subject


def test_attachments_lie_in_data_dir_and_nowhere_else(desk: Desk, tmp_path: Path) -> None:
    """Issue 9: escapes by path and by link are refused, and so is the server's own state."""
    outside = tmp_path / "outside.txt"
    outside.write_text("secret", encoding="utf-8")
    (desk.data_dir / "link.txt").symlink_to(outside)
    (desk.data_dir / "folder").symlink_to(tmp_path)
    os.mkfifo(desk.data_dir / "pipe")
    desk.office(RESEND_API_KEY=KEY).status()
    for name in (
        "../outside.txt", "in/../../outside.txt", str(outside), "link.txt", "folder/outside.txt",
        ".state/sent.json", "in", "pipe", "", "nothing.txt", "a\nb",
    ):  # fmt: skip
        with pytest.raises(MailError):
            desk.send_now({**GIVEN, "attachments": [name], "dry_run": True}, RESEND_API_KEY=KEY)
    folder = Folder(desk.data_dir)
    with pytest.raises(MailError):
        folder.save("folder/new.txt", "x", "")
    with pytest.raises(MailError):
        folder.save(".state/sent.json", "{}", "")
    assert [each["name"] for each in folder.listed()] == ["Bericht ü.pdf", "in/notes.txt"]
    large = desk.data_dir / "large.bin"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(MailError, match="15 MiB together"):
        folder.read(["large.bin"])


def test_attachments_are_kept_replaced_and_deleted(desk: Desk) -> None:
    """Ours: who has no hand in DATA_DIR can attach something, too."""
    folder = Folder(desk.data_dir)
    folder.save("new/a.txt", "one", "")
    folder.save("new/a.txt", "", b64encode(b"two").decode())
    (kept,) = folder.read([str(desk.data_dir / "new" / "a.txt")])
    assert (kept.name, kept.kind, kept.content) == ("a.txt", "text/plain", b"two")
    folder.delete("new/a.txt")
    assert not list((desk.data_dir / "new").iterdir())
    for text, encoded in (("", ""), ("a", "Yg=="), ("", "no base64!")):
        with pytest.raises(MailError):
            folder.save("b.txt", text, encoded)
    with pytest.raises(MailError, match="list_attachments"):
        folder.delete("b.txt")
