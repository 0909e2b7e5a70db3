"""Where a call stands in a trace: reading it, passing it on, deciding whether it is collected."""

import json

import msgspec
import pytest

from gateway.auth.caller import Caller, CallerKind
from gateway.relay import trace_context
from gateway.relay.http import Headers
from gateway.relay.places import Places
from gateway.relay.request import read_message
from gateway.relay.trace_context import TraceContext, read, with_context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
TOKEN = Caller(CallerKind.TOKEN, "t", frozenset())
RUN = Caller(CallerKind.RUN, "run_1", frozenset())


def place_of(caller: Caller, header: str | None = None, meta: object = None) -> TraceContext:
    """Return the place of a tool call."""
    headers = Headers({"headers": [(b"traceparent", header.encode())] if header else []})
    params = {"name": "x", **({"_meta": meta} if meta else {})}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return Places(1.0).of_request(caller, headers, read_message(json.dumps(body).encode(), headers))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        HEADER.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_a_malformed_header_begins_a_new_trace(header: str | None) -> None:
    """W3C Trace Context, 4.3: what cannot be read is left aside."""
    assert read(header) is None
    place = place_of(TOKEN, header)
    assert place.trace_id != TRACE
    assert place.parent_id is None


def test_a_call_goes_on_with_the_trace_that_its_request_names() -> None:
    """W3C Trace Context, 3.2; a later version may say more behind it."""
    for header in (HEADER, f"cc-{TRACE}-{SPAN}-01-more"):
        place = place_of(TOKEN, header)
        assert (place.trace_id, place.parent_id, place.sampled) == (TRACE, SPAN, True)
    assert not place_of(TOKEN, f"00-{TRACE}-{SPAN}-00").sampled


def test_meta_counts_before_the_header() -> None:
    """MCP SEP-414: proxies may have put a header of their own."""
    other = f"00-{'a' * 32}-{SPAN}-01"
    assert place_of(TOKEN, other, {"traceparent": HEADER}).trace_id == TRACE
    assert place_of(TOKEN, HEADER, {"traceparent": 7}).trace_id == TRACE


def test_calls_of_a_run_are_in_the_run_s_trace() -> None:
    """Ours: its CLI says nothing of traces."""
    run = Places(1.0).of_run("run_1")
    place = place_of(RUN)
    assert (place.trace_id, place.parent_id) == (run.trace_id, run.span_id)
    assert Places(1.0).of_run("run_2").trace_id != run.trace_id


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_traces_that_begin_here_is_collected(share: float) -> None:
    """Ours: and always the same ones, whoever decides."""
    ids = [trace_context.of_run(f"run_{n}", share) for n in range(4000)]
    collected = sum(place.sampled for place in ids) / len(ids)
    assert collected == pytest.approx(share, abs=0.05)


def test_a_server_is_told_and_all_else_stays_as_it_was() -> None:
    """Ours: numbers that Python would write differently stay the caller's."""
    params = msgspec.Raw(
        b'{"name":"x","arguments":{"n":1e2, "big":12345678901234567890123},"_meta":{"k":1.50}}'
    )
    place = TraceContext(TRACE, SPAN)
    marked = with_context(params, place, "vendor=1")
    assert b'{"n":1e2, "big":12345678901234567890123}' in marked
    assert b'"k":1.50' in marked
    meta = json.loads(marked)["_meta"]
    assert (meta["traceparent"], meta["tracestate"]) == (HEADER, "vendor=1")
    assert json.loads(with_context(None, place, None)) == {"_meta": {"traceparent": HEADER}}


def test_a_tracestate_of_the_caller_s_own_meta_is_kept() -> None:
    """Ours: the header is another hop's."""
    marked = with_context(b'{"_meta":{"tracestate":"mine=1"}}', TraceContext(TRACE, SPAN), "its=2")
    assert json.loads(marked)["_meta"]["tracestate"] == "mine=1"
