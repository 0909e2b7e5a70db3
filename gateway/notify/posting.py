"""Sends by HTTP: Slack's form, a signed one, and nothing, where the request is the message.

The owner names the address, so private ones may be meant. What answers is not followed elsewhere,
and of its answer only the status is read.
"""

import ipaddress
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import anyio
import httpx2

from gateway.domain.notice import Notice
from gateway.domain.webhook import Scheme
from gateway.notify.errors import AddressRefused, NotSent
from gateway.secret import Secret
from gateway.webhooks.schemes import signing_headers

TIMEOUT_S = 15.0
"""In all."""
SIGNED_HEADERS = {"content-type": "application/json", "user-agent": "claude-runner"}


async def post_slack(address: Secret, notice: Notice) -> None:
    """Send a notice as Slack, Mattermost and others take it. Raises NotSent."""
    text = f"*{_escaped(notice.title)}*\n{_escaped(notice.text)}"
    await _post(address, json.dumps({"text": text}).encode(), SIGNED_HEADERS)


async def post_signed(address: Secret, secret: Secret, notice: Notice, now_s: int) -> None:
    """Send a notice as Standard Webhooks has it; a repeated one has the same id. Raises NotSent."""
    body = signed_body(notice)
    signed = signing_headers(
        Scheme.STANDARD, secret.reveal(), body, delivery_id=notice.id, now_s=now_s
    )
    await _post(address, body, {**SIGNED_HEADERS, **signed})


def signed_body(notice: Notice) -> bytes:
    """Return what a signed post of a notice holds."""
    said = {
        "type": notice.occasion.value,
        "timestamp": datetime.fromtimestamp(notice.at / 1000, UTC).isoformat(),
        "data": {"subject": notice.subject, "title": notice.title, "text": notice.text},
    }
    return json.dumps(said).encode()


async def post_empty(address: Secret) -> None:
    """Send a request without a body. Raises NotSent."""
    await _post(address, b"", {"user-agent": "claude-runner"})


def host_of(address: str) -> str:
    """Return the host of an http or https address. Raises AddressRefused."""
    wanted = "The address must be an http or https one without a fragment."
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise AddressRefused(wanted) from None
    plain = address.isascii() and address.isprintable() and " " not in address
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or not plain:
        raise AddressRefused(wanted)
    return parts.hostname


async def _post(address: Secret, body: bytes, headers: dict[str, str]) -> None:
    url = address.reveal()
    try:
        with anyio.fail_after(TIMEOUT_S):
            async with (
                httpx2.AsyncClient(
                    timeout=TIMEOUT_S,
                    trust_env=not _is_loopback(host_of(url)),
                    follow_redirects=False,
                ) as client,
                client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
    except TimeoutError:
        raise NotSent(f"it did not answer within {TIMEOUT_S:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # Its own text may hold the address.
        raise NotSent(f"it cannot be reached ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise NotSent(f"it answered {status}")


def _escaped(text: str) -> str:
    """Return text in which nothing is a link or calls a person (Slack, "Formatting text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
