"""The way to the gateway: its address, name and certificate, and what stands in front of it."""

import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
from anyio.streams.tls import TLSAttribute

from gateway.connector.report import Step, fine, problem, warning
from gateway.connector.web import TIMEOUT_S, Answer, shown

EXPIRY_DAYS = 14
CLOCK_S = 60
HOST_ADVICE = "Have the proxy pass Host on as it came (nginx: proxy_set_header Host $http_host)."


def check_address(public: str | None, base: str) -> Step:
    """Say whether claude.ai could be given this address at all."""
    name = "address"
    if public is None:
        return warning(
            name,
            f"{base}, the local address",
            "No public address is set, so only this machine gets here.",
            "Set PUBLIC_URL to the https address that others reach, or NGROK_AUTHTOKEN.",
        )
    if not public.startswith("https://"):
        return problem(
            name,
            public,
            "PUBLIC_URL begins with http://, and claude.ai connects over https alone.",
            "Have a proxy with a certificate end TLS, and set PUBLIC_URL to its https:// address.",
        )
    return fine(name, public)


async def check_name(base: str) -> Step:
    """Look the name up; a private address is of no use to a hosted client."""
    name, parts = "DNS", urlsplit(base)
    host = parts.hostname or ""
    try:
        with anyio.fail_after(TIMEOUT_S):
            found = await anyio.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        return problem(
            name,
            f"{host}: {shown(error) or 'no answer'}",
            "The name of PUBLIC_URL is not found.",
            "Make a DNS record for it, or correct PUBLIC_URL; new records take a while.",
        )
    addresses = sorted({str(entry[4][0]) for entry in found})
    seen = f"{host} is {', '.join(addresses)}"
    private = [each for each in addresses if not ip_address(each.partition("%")[0]).is_global]
    if private:
        return warning(
            name,
            seen,
            "That address is a private one here; from outside the name must lead elsewhere.",
            "Look the name up from another network, such as a phone's.",
        )
    return fine(name, seen)


async def check_tls(base: str, tls: ssl.SSLContext) -> Step:
    """Make a TLS connection as a client does that trusts well-known authorities alone."""
    name, parts = "TLS", urlsplit(base)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with anyio.fail_after(TIMEOUT_S):
            stream = await anyio.connect_tcp(
                host, port, tls=True, ssl_context=tls, tls_standard_compatible=False
            )
    except ssl.SSLCertVerificationError as error:
        return problem(
            name,
            shown(error.verify_message),
            "The certificate is not one that claude.ai accepts.",
            "Get one for this very name from a public authority such as Let's Encrypt, have the "
            "proxy send it with its intermediate ones, and check this machine's clock.",
        )
    except (OSError, TimeoutError, anyio.BrokenResourceError) as error:
        return problem(
            name,
            shown(error) or f"no answer within {TIMEOUT_S:g} s",
            f"No TLS connection to {host}, port {port}, can be made from here.",
            "Start the proxy and open its port; if others get there and this machine alone does "
            "not, its router does not lead connections back inside.",
        )
    certificate = cast(
        "dict[str, Any]",
        stream.extra(TLSAttribute.peer_certificate),  # noqa: S610 - anyio's, no database
    )
    await anyio.aclose_forcefully(stream)
    return _judge(name, certificate)


def _judge(name: str, certificate: dict[str, Any]) -> Step:
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    issuer = [value for part in certificate["issuer"] for key, value in part if "Name" in key]
    seen = f"a certificate of {shown(', '.join(issuer))} until {ends:%d %B %Y}"
    if (ends - datetime.now(UTC)).days < EXPIRY_DAYS:
        wrong, advice = "It ends soon.", "See that its renewal works."
        return warning(name, seen, wrong, advice)
    return fine(name, seen)


def check_health(answer: Answer, base: str) -> Step:
    """Say who answered at the address; not the gateway: why not."""
    name, seen = "reachability", f"GET /healthz: {answer.said()}"
    if answer.status == 200 and "status" in answer.fields():
        return fine(name, seen)
    where = answer.headers.get("location", "")
    if answer.status == 421:
        wrong = "The gateway was asked for another Host than its own."
        return problem(name, seen, wrong, HOST_ADVICE)
    if 300 <= answer.status < 400 and where.startswith("https://") and base.startswith("http://"):
        return problem(
            name,
            seen,
            "PUBLIC_URL says http:// and what is in front of the gateway sends to https://.",
            f"Set PUBLIC_URL={shown(base.replace('http://', 'https://', 1))}.",
        )
    if answer.status in (401, 403, 407) or 300 <= answer.status < 400:
        return problem(
            name,
            seen,
            "Something in front of the gateway asks for a login of its own, or keeps programs out.",
            "Let this host name pass: the gateway asks for a login where one is needed.",
        )
    if answer.status in (500, 502, 503, 504):
        return problem(
            name,
            seen,
            "The proxy does not reach the gateway.",
            "Have it connect to the address that `claude-runner status` shows.",
        )
    return problem(
        name,
        seen,
        "Something else answers at the root of PUBLIC_URL: the proxy passes on other paths alone.",
        "Have it pass on every path from / unchanged; the gateway needs a host name of its own.",
    )


def check_clock(answer: Answer, now: datetime) -> Step:
    """Compare this machine's clock with that of what answered."""
    name = "clock"
    try:
        there = parsedate_to_datetime(answer.headers["date"])
        off_s = abs((there - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return fine(name, "nothing to compare this machine's clock with")
    seen = f"{off_s:.0f} s between this machine's clock and that of the answer"
    if off_s <= CLOCK_S:
        return fine(name, seen)
    return warning(
        name, seen, "One of both clocks is wrong.", "Have systemd-timesyncd or chrony set them."
    )


def check_delivery(answer: Answer, base: str, *, sent: int) -> Iterable[Step]:
    """Say what arrived at the gateway of a request with a body and a bearer token."""
    seen, wanted = answer.fields(), urlsplit(base)
    if answer.status == 413:
        yield _body_problem(answer, sent)
        return
    if answer.status != 200 or "host" not in seen:
        yield problem(
            "the same gateway",
            f"POST: {answer.said()}",
            "A gateway answers there, but it is not this one.",
            "Look where the proxy connects to, and whether an older gateway still runs.",
        )
        return
    host = shown(seen["host"])
    if str(seen["host"]).lower() == wanted.netloc.lower():
        yield fine("Host", f"arrives as {host}")
    else:
        yield problem(
            "Host",
            f"arrives as {host}",
            f"The proxy replaces the Host header, so clients are sent to {host}.",
            HOST_ADVICE,
        )
    yield _caller(seen)
    if seen["bytes"] == sent:
        yield fine("bodies", f"{sent} bytes arrive")
    else:
        yield _body_problem(answer, sent)


def _caller(seen: dict[str, Any]) -> Step:
    name, client = "callers", shown(seen["client"])
    if seen["forwarded"] and not seen["believed"]:
        return warning(
            name,
            f"{client}, and headers that name another one",
            "A proxy says who calls and is not trusted, so all callers count as one.",
            f"Set TRUSTED_PROXIES={client}, if that is the proxy's address.",
        )
    return fine(name, f"this check came from {client}")


def _body_problem(answer: Answer, sent: int) -> Step:
    return problem(
        "bodies",
        f"POST of {sent} bytes: {answer.said()}",
        "What is in front of the gateway refuses or cuts large requests.",
        "Raise its limit to 16 MB (nginx: client_max_body_size 16m).",
    )
