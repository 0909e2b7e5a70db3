"""A request that is refused is read to its end first, within bounds."""

from collections.abc import Iterable

import anyio

from gateway.relay.http import MAX_REFUSED_BYTES, Message, after_body, send_body

REFUSED = ["http.response.start", "http.response.body"]


async def refused(*parts: Message) -> list[str]:
    """Refuse a request that comes in parts; return what was done, in order."""
    done: list[str] = []
    coming: Iterable[Message] = iter(parts)

    async def receive() -> Message:
        message = next(iter(coming))
        done.append("read")
        return message

    async def send(message: Message) -> None:
        done.append(message["type"])

    await send_body(after_body(receive, send), 401, b"no")
    return done


def part(body: bytes, *, more: bool) -> Message:
    """Return a part of a request's body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_refused_request_is_read_before_it_is_answered() -> None:
    """RFC 9112, 9.3: a connection is kept only if the whole request was read."""
    assert await refused(part(b"a", more=True), part(b"b", more=False)) == [
        "read",
        "read",
        *REFUSED,
    ]
    assert await refused(part(b"", more=False)) == ["read", *REFUSED]


async def test_a_large_body_is_not_read_for_its_refusal() -> None:
    """Ours: nobody has a refusal cost more than a megabyte."""
    much = part(bytes(MAX_REFUSED_BYTES), more=True)
    assert await refused(much, part(b"x", more=True), much) == ["read", "read", *REFUSED]


async def test_a_caller_that_is_gone_is_answered_all_the_same() -> None:
    """Ours: whoever answers need not know."""
    assert await refused({"type": "http.disconnect"}) == ["read", *REFUSED]


async def test_a_body_that_does_not_come_holds_nobody_up() -> None:
    """Ours: its sender may be slow, or mean it."""
    sent: list[str] = []

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError("nobody waits for ever")

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await send_body(after_body(receive, send, within_s=0.0), 401, b"no")
    assert sent == REFUSED
