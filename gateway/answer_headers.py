"""What every answer says to browsers, whichever room it comes from: pages, JSON and refusals."""

from gateway.relay.http import JSON, Message, Send

ON_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""A room that needs another value says so itself, as pages do for what they load."""
_FIELDS = tuple((name.lower().encode(), value.encode()) for name, value in ON_EVERY_ANSWER.items())


_REST_OF_HEAD = (
    b"\r\ncontent-type: %b\r\n" % JSON
    + b"".join(b"%b: %b\r\n" % field for field in _FIELDS)
    + b"\r\n"
)


def plain_head(status_line: bytes, further: bytes, length: int) -> bytes:
    """Return the head of an answer in JSON as it goes over the wire; the lines have their ends."""
    return b"%b%bcontent-length: %d%b" % (status_line, further, length, _REST_OF_HEAD)


def hardened(send: Send) -> Send:
    """Return a `send` that adds to an answer what it does not say itself."""

    async def send_hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = list(message.get("headers", ()))
            names = {name.lower() for name, _ in said}
            said.extend(field for field in _FIELDS if field[0] not in names)
            message = {**message, "headers": said}
        await send(message)

    return send_hardened
