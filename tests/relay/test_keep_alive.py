"""A call that is silent for long: its connection must look alive to the proxies in between."""

import anyio

from gateway.relay.exchange import Asked, Exchange
from gateway.relay.http import Message
from supervisor.children.wire import encode
from supervisor.spec import Era
from tests.relay.conftest import Relay
from tests.supervisor.conftest import raw_spec


async def test_a_silent_call_begins_its_stream_with_comments(relay: Relay) -> None:
    """Research A.4: at most 15 s of silence; here much less, before a call that says nothing."""
    await relay.stage.start(raw_spec("raw"))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    child = await relay.stage.supervisor.slot("raw").child_for_call()
    call = child.call("tools/call", encode({"name": "wait", "arguments": {"each_s": 0.5}}))
    asked = Asked(b"1", "tools/call", Era.MODERN, timeout_s=10.0, keep_alive_s=0.05)
    await Exchange(asked, child, send).run(call, receive, cancel_on_disconnect=True)
    start, *bodies = sent
    assert start["status"] == 200
    assert (b"content-type", b"text/event-stream") in start["headers"]
    *comments, answer, end = [body["body"] for body in bodies]
    assert set(comments) == {b": alive\n\n"}
    assert b"waited 1" in answer
    assert end == b""
