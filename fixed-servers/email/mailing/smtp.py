"""Hands a mail to an SMTP server, once.

In the sandbox the way there is a tunnel through the proxy that HTTPS_PROXY names (CONNECT), so a
granted host is enough and no wider network is needed.
"""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.headerregistry import Address
from typing import Any
from urllib.parse import urlsplit

from mailing.errors import NotSent, PerhapsSent
from mailing.settings import MailServer, Security

TIMEOUT_S = 30.0
"""For each answer of the server."""
MAX_HEAD_BYTES = 8192
OURSELVES = "[127.0.0.1]"
"""How we greet: as a program without a name in DNS (RFC 5321, 4.1.4)."""
WELCOME, DONE, FORWARDED = 220, 250, 251


def deliver(
    server: MailServer,
    context: ssl.SSLContext,
    *,
    sender: Address,
    recipients: Sequence[Address],
    data: bytes,
    utf8: bool,
) -> dict[str, str]:
    """Send a message; return whom the server refused, and why.

    Raises NotSent, PerhapsSent.
    """
    try:
        smtp = _connect(server, context)
    except _TROUBLE as error:
        raise NotSent(f"{server.host}:{server.port}: {_why(error)}") from error
    try:
        return _hand_over(smtp, sender, recipients, data, utf8=utf8)
    finally:
        # What was accepted stays accepted, however the goodbye goes.
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()


def _connect(server: MailServer, context: ssl.SSLContext) -> smtplib.SMTP:
    """Return a connection that nobody else reads, logged in."""
    kind = _Tls(server, context) if server.security is Security.TLS else _Plain(server)
    try:
        code, reply = kind.connect(server.host, server.port)
        if code != WELCOME:
            raise smtplib.SMTPConnectError(code, reply)
        kind.ehlo_or_helo_if_needed()
        offered = server.security is Security.OFFERED and kind.has_extn("starttls")
        if offered or server.security is Security.STARTTLS:
            kind.starttls(context=context)
            kind.ehlo_or_helo_if_needed()
        if server.username:
            kind.login(server.username, server.password)
    except BaseException:
        kind.close()
        raise
    return kind


def _hand_over(
    smtp: smtplib.SMTP, sender: Address, recipients: Sequence[Address], data: bytes, *, utf8: bool
) -> dict[str, str]:
    refused: dict[str, str] = {}
    try:
        if utf8 and not smtp.has_extn("smtputf8"):
            raise NotSent("The mail server takes no address with letters beyond ASCII before the @")
        _expect(smtp.mail(sender.addr_spec, ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []))
        for each in recipients:
            code, reply = smtp.rcpt(each.addr_spec)
            if code not in (DONE, FORWARDED):
                refused[each.addr_spec] = f"{code} {_text(reply)}"
        if len(refused) == len(recipients):
            raise NotSent(f"The mail server takes none of the recipients: {_list(refused)}")
        smtp.putcmd("data")
        _expect(smtp.getreply(), 354)
    except _TROUBLE as error:
        raise NotSent(_why(error)) from error
    try:
        _expect(_send_data(smtp, data))
    except _TROUBLE as error:
        raise PerhapsSent(_why(error)) from error
    return refused


def _send_data(smtp: smtplib.SMTP, data: bytes) -> tuple[int, bytes]:
    """Send the message itself, in which a line never begins with one dot (RFC 5321, 4.5.2)."""
    quoted = data.replace(b"\r\n.", b"\r\n..")
    if quoted.startswith(b"."):
        quoted = b"." + quoted
    end = b".\r\n" if quoted.endswith(b"\r\n") else b"\r\n.\r\n"
    smtp.send(quoted + end)
    return smtp.getreply()


def _expect(answer: tuple[int, bytes], wanted: int = DONE) -> None:
    code, reply = answer
    if code != wanted:
        raise NotSent(f"The mail server refused: {code} {_text(reply)}")


class _Plain(smtplib.SMTP):
    """Connects through the proxy, if there is one."""

    def __init__(self, server: MailServer) -> None:
        super().__init__(local_hostname=OURSELVES, timeout=TIMEOUT_S)
        self._proxy = server.proxy
        # What a certificate is compared with.
        self._host = server.host

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return _reach(self._proxy, host, port)


class _Tls(smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""

    def __init__(self, server: MailServer, context: ssl.SSLContext) -> None:
        super().__init__(local_hostname=OURSELVES, timeout=TIMEOUT_S, context=context)
        self._proxy = server.proxy

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return self.context.wrap_socket(_reach(self._proxy, host, port), server_hostname=host)


def _reach(proxy: str, host: str, port: int) -> socket.socket:
    if not proxy:
        return socket.create_connection((host, port), TIMEOUT_S)
    way = urlsplit(proxy)
    near = socket.create_connection((way.hostname or "", way.port or 0), TIMEOUT_S)
    try:
        near.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        _, status, reason = (*_head(near).partition(b"\r\n")[0].split(b" ", 2), b"", b"")[:3]
        if status != b"200":
            raise OSError(f"the proxy of the sandbox answered {_text(status)} {_text(reason)}")
    except BaseException:
        near.close()
        raise
    return near


def _head(near: socket.socket) -> bytes:
    """Return the proxy's answer and not a byte more: a mail server speaks first, and at once."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < MAX_HEAD_BYTES:
        byte = near.recv(1)
        if not byte:
            break
        head += byte
    return head


_TROUBLE = (smtplib.SMTPException, OSError)


def _why(error: Exception) -> str:
    match error:
        case smtplib.SMTPAuthenticationError(smtp_code=code, smtp_error=reply):
            return f"the user name or the password is refused: {code} {_text(reply)}"
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=reply):
            return f"the mail server answered {code} {_text(reply)}"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case TimeoutError():
            return "the mail server did not answer in time"
        case _:
            return str(error) or type(error).__name__


def _text(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())


def _list(refused: dict[str, str]) -> str:
    return "; ".join(f"{address} ({why})" for address, why in refused.items())
