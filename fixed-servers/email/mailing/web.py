"""Hands a mail to a provider's HTTP interface, once."""

import base64
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from typing import Any
from urllib.parse import quote

import anyio
import httpx2

from mailing.attachments import Attachment
from mailing.deadline import Deadline, TooLate
from mailing.errors import NotSent, PerhapsSent
from mailing.message import Letter
from mailing.settings import Provider, Settings

TIMEOUT_S = 60.0
"""For each wait, within the deadline of the delivery."""
MAX_ANSWER_BYTES = 64 * 1024
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Order:
    """One request to a provider."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    auth: tuple[str, str] | None = None
    json: Any = None
    data: Mapping[str, Any] | None = None
    files: Mapping[str, Any] | None = None


def post(settings: Settings, order: Order, deadline: Deadline) -> str:
    """Send; return the provider's id of the mail. Raises NotSent, PerhapsSent."""
    # Only an event loop can end a request as a whole: httpx bounds each of its waits.
    return anyio.run(_post, settings, order, deadline)


async def _post(settings: Settings, order: Order, deadline: Deadline) -> str:
    context = settings.tls_context()
    try:
        left = deadline.left()
    except TooLate as error:
        raise NotSent(str(error)) from error
    try:
        with anyio.fail_after(left):
            answer, said = await _exchange(settings, order, context)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise NotSent(f"{settings.url} cannot be reached: {error}") from error
    except (httpx2.HTTPError, TimeoutError) as error:
        raise PerhapsSent(f"{settings.url} did not answer ({type(error).__name__})") from error
    if answer.status_code >= SERVER_ERROR:
        raise PerhapsSent(f"{settings.provider} answered {answer.status_code}: {_reason(said)}")
    if not answer.is_success:
        raise NotSent(f"{settings.provider} refused: {answer.status_code} {_reason(said)}")
    return answer.headers.get("x-message-id") or str(said.get("id", ""))


async def _exchange(
    settings: Settings, order: Order, context: ssl.SSLContext
) -> tuple[httpx2.Response, dict[str, Any]]:
    """Return a provider's answer and what it says."""
    async with (
        httpx2.AsyncClient(timeout=TIMEOUT_S, verify=context) as client,
        client.stream(
            "POST",
            f"{settings.url}{order.path}",
            headers=dict(order.headers),
            auth=order.auth,
            json=order.json,
            data=order.data,
            files=order.files,
        ) as answer,
    ):
        return answer, await _read(answer)


def order(
    settings: Settings, letter: Letter, attachments: Sequence[Attachment], mime: bytes
) -> Order:
    """Return the request that gives a mail to the provider that is set."""
    match settings.provider:
        case Provider.SENDGRID:
            return _sendgrid(settings, letter, attachments)
        case Provider.RESEND:
            return _resend(settings, letter, attachments)
        case Provider.MAILGUN | Provider.SMTP:
            return _mailgun(settings, letter, mime)


def _sendgrid(settings: Settings, letter: Letter, attachments: Sequence[Attachment]) -> Order:
    """Source: SendGrid, "Mail Send" (v3)."""
    people = {"to": letter.to, "cc": letter.cc, "bcc": letter.bcc}
    content = {"text/plain": letter.text, "text/html": letter.html}
    body: dict[str, Any] = {
        "personalizations": [{key: _people(who) for key, who in people.items() if who}],
        "from": _person(settings.sender),
        "subject": letter.subject,
        "content": [{"type": kind, "value": text} for kind, text in content.items() if text],
    }
    if letter.reply_to:
        body["reply_to_list"] = _people(letter.reply_to)
    if attachments:
        body["attachments"] = [
            {
                "filename": each.name,
                "type": each.kind,
                "content": _base64(each),
                "disposition": "attachment",
            }
            for each in attachments
        ]
    return Order("/v3/mail/send", headers=_bearer(settings), json=body)


def _resend(settings: Settings, letter: Letter, attachments: Sequence[Attachment]) -> Order:
    """Source: Resend, "Send Email"."""
    people = {"to": letter.to, "cc": letter.cc, "bcc": letter.bcc, "reply_to": letter.reply_to}
    body: dict[str, Any] = {
        "from": str(settings.sender),
        "subject": letter.subject,
        **{key: [str(each) for each in who] for key, who in people.items() if who},
        **{key: text for key, text in (("text", letter.text), ("html", letter.html)) if text},
    }
    if attachments:
        body["attachments"] = [
            {"filename": each.name, "content_type": each.kind, "content": _base64(each)}
            for each in attachments
        ]
    return Order("/emails", headers=_bearer(settings), json=body)


def _mailgun(settings: Settings, letter: Letter, mime: bytes) -> Order:
    """Source: Mailgun, "Send an email in MIME format"."""
    return Order(
        f"/v3/{quote(settings.mailgun_domain, safe='')}/messages.mime",
        auth=("api", settings.key),
        data={"to": [each.addr_spec for each in letter.recipients]},
        files={"message": ("message.eml", mime, "message/rfc822")},
    )


def _bearer(settings: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.key}"}


def _person(address: Address) -> dict[str, str]:
    named = {"name": address.display_name} if address.display_name else {}
    return {"email": address.addr_spec, **named}


def _people(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [_person(each) for each in addresses]


def _base64(attachment: Attachment) -> str:
    return base64.b64encode(attachment.content).decode("ascii")


async def _read(answer: httpx2.Response) -> dict[str, Any]:
    """Return what a provider says, if it is an object of bounded size."""
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            return {}
    try:
        said = httpx2.Response(answer.status_code, content=body).json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _reason(said: Mapping[str, Any]) -> str:
    errors = said.get("errors")
    if isinstance(errors, list):
        return "; ".join(str(each.get("message", "")) for each in errors if isinstance(each, dict))
    return str(said.get("message", "")) or "without a reason"
