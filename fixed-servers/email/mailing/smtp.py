"""Hands a mail to an SMTP server, once.

In the sandbox the way there is a tunnel through the proxy that HTTPS_PROXY names (CONNECT), so a
granted host is enough and no wider network is needed.
"""

import io
import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.headerregistry import Address
from typing import Any
from urllib.parse import urlsplit

from mailing.deadline import Deadline, TooLate
from mailing.errors import NotSent, PerhapsSent
from mailing.settings import MailServer, Security

TIMEOUT_S = 30.0
"""For each answer of the server, within the deadline of the delivery."""
PIECE_BYTES = 16 * 1024
"""Sent at once; a record of TLS."""
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
    deadline: Deadline,
) -> dict[str, str]:
    """Send a message; return whom the server refused, and why.

    The message itself does not leave after the deadline. Raises NotSent, PerhapsSent.
    """
    try:
        smtp = _connect(server, context, deadline)
    except _TROUBLE as error:
        raise NotSent(f"{server.host}:{server.port}: {_why(error)}") from error
    try:
        refused = _envelope(smtp, sender, recipients, utf8=utf8)
        _message(smtp, data)
        return refused
    finally:
        # What was accepted stays accepted, however the goodbye goes.
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        smtp.close()


def _connect(server: MailServer, context: ssl.SSLContext, deadline: Deadline) -> "_Connection":
    """Return a connection that nobody else reads, logged in."""
    kind = _Connection(server, context if server.security is Security.TLS else None, deadline)
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


def _envelope(
    smtp: "_Connection", sender: Address, recipients: Sequence[Address], *, utf8: bool
) -> dict[str, str]:
    """Bring the server to wait for the message. Return whom it refused. Raises NotSent."""
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
        smtp.deadline.left()
    except _TROUBLE as error:
        raise NotSent(_why(error)) from error
    return refused


def _message(smtp: "_Connection", data: bytes) -> None:
    """Send the message itself. Raises NotSent (it was refused), PerhapsSent."""
    try:
        smtp.send(_quoted(data))
        _expect(smtp.getreply())
    except _TROUBLE as error:
        raise PerhapsSent(_why(error)) from error


def _quoted(data: bytes) -> bytes:
    """Return a message with its end, no line of it beginning with one dot (RFC 5321, 4.5.2)."""
    quoted = data.replace(b"\r\n.", b"\r\n..")
    if quoted.startswith(b"."):
        quoted = b"." + quoted
    return quoted + (b".\r\n" if quoted.endswith(b"\r\n") else b"\r\n.\r\n")


def _expect(answer: tuple[int, bytes], wanted: int = DONE) -> None:
    code, reply = answer
    if code != wanted:
        raise NotSent(f"The mail server refused: {code} {_text(reply)}")


class _Connection(smtplib.SMTP):
    """Goes through the proxy, if there is one, and takes no step after the deadline."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext | None, deadline: Deadline) -> None:
        """Prepare; `tls` is for TLS from the first byte."""
        super().__init__(local_hostname=OURSELVES, timeout=TIMEOUT_S)
        self.deadline = deadline
        self._proxy = server.proxy
        self._tls = tls
        # What a certificate is compared with.
        self._host = server.host

    def send(self, s: Any) -> None:
        """Send text or bytes, as long as there is time."""
        data = s.encode(self.command_encoding) if isinstance(s, str) else s
        for start in range(0, len(data), PIECE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(_wait(self.deadline))
            super().send(data[start : start + PIECE_BYTES])

    def getreply(self) -> tuple[int, bytes]:
        """Return the next answer; one that comes byte by byte has no more time than another."""
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Incoming(self.sock, self.deadline))
        return super().getreply()

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        near = _reach(self._proxy, host, port, self.deadline)
        if self._tls is None:
            return near
        return self._tls.wrap_socket(near, server_hostname=host)


class _Incoming(io.RawIOBase):
    """What a server says; each wait for more of it ends with the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Return how many bytes came; none: it hung up."""
        self._sock.settimeout(_wait(self._deadline))
        return self._sock.recv_into(buffer)


def _wait(deadline: Deadline) -> float:
    return min(TIMEOUT_S, deadline.left())


def _reach(proxy: str, host: str, port: int, deadline: Deadline) -> socket.socket:
    """Return the way to a mail server."""
    if not proxy:
        return socket.create_connection((host, port), _wait(deadline))
    way = urlsplit(proxy)
    near = socket.create_connection((way.hostname or "", way.port or 0), _wait(deadline))
    try:
        near.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = _head(_Incoming(near, deadline))
        _, status, reason = (*head.partition(b"\r\n")[0].split(b" ", 2), b"", b"")[:3]
        if status != b"200":
            raise OSError(f"the proxy of the sandbox answered {_text(status)} {_text(reason)}")
    except BaseException:
        near.close()
        raise
    return near


def _head(near: _Incoming) -> bytes:
    """Return the proxy's answer and not a byte more: a mail server speaks first, and at once."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < MAX_HEAD_BYTES:
        byte = near.read(1)
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
        case TooLate():
            return str(error)
        case TimeoutError():
            return "the mail server did not answer in time"
        case _:
            return str(error) or type(error).__name__


def _text(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())


def _list(refused: dict[str, str]) -> str:
    return "; ".join(f"{address} ({why})" for address, why in refused.items())
