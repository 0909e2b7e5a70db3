"""A call that is silent for long: its connection must look alive to the proxies in between."""

import anyio

from gateway.auth.caller import Caller, CallerKind
from gateway.relay.answering import Request
from gateway.relay.exchange import Exchange
from gateway.relay.http import Headers, Message
from gateway.relay.patience import Patience
from gateway.relay.request import read_message
from supervisor.children.wire import encode
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
    headers = Headers({"headers": []})
    caller = Caller(CallerKind.LOCAL, "local", frozenset())
    request = Request("raw", caller, headers, receive, send, Patience())
    params = {"name": "wait", "arguments": {"each_s": 2}}
    body = encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    exchange = Exchange(request, read_message(body, headers), child, keep_alive_s=0.05)
    exchange.carry(child.call("tools/call", encode(params)))
    await exchange.run(cancel_on_disconnect=True)
    start, *bodies = sent
    assert start["status"] == 200
    assert (b"content-type", b"text/event-stream") in start["headers"]
    *comments, answer, end = [body["body"] for body in bodies]
    assert set(comments) == {b": alive\n\n"}
    assert b"waited 1" in answer
    assert end == b""
