"""Clients that cannot read the answer, as they say themselves."""

import pytest

from gateway.relay.accepting import NEEDED, accepts
from tests.relay.conftest import ACCEPT, Relay, modern, request

BOTH = NEEDED["POST"]


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("application/json, text/event-stream", True),
        ("text/event-stream;q=0.5,APPLICATION/JSON;charset=utf-8", True),
        ("*/*", True),
        ("application/*, text/*; q=0.1", True),
        ("application/json, */*;q=0.1", True),
        ("application/json", False),
        ("text/event-stream", False),
        ("text/html", False),
        ("application/json, text/event-stream;q=0", False),
        ("*/*, application/json;q=0", False),
        ("application/json, text/event-stream;q=much", False),
        ("application/jsonx, text/event-streams", False),
        ("", False),
        (",;,", False),
    ],
)
def test_the_range_that_fits_best_counts(said: str, allowed: bool) -> None:
    """RFC 9110, section 12.5.1; a weight of 0 is a no."""
    assert accepts(said, BOTH) is allowed


async def test_who_cannot_read_events_or_json_is_told_and_nothing_is_done(eras: Relay) -> None:
    """MCP, basic/transports: posts name both kinds, streams of a session name events."""
    session = await eras.open_session("handshake")
    calls = eras.stage.supervisor.snapshot("handshake").calls
    call = {"name": "echo", "arguments": {"text": "x"}}
    body, headers = modern("tools/call", call)
    for posted, further in ((request("tools/call", call), session), (body, headers)):
        only = {**further, "Accept": "application/json"}
        refused = await eras.post("handshake", posted, only)
        assert refused.status_code == 406
        assert refused.json()["error"] == {
            "code": -32600,
            "message": "The header Accept must allow application/json and text/event-stream, "
            "not 'application/json' alone.",
        }
    listening = {**ACCEPT, **session, "Accept": "application/json"}
    assert (await eras.http.get("/servers/handshake/mcp", headers=listening)).status_code == 406
    assert eras.stage.supervisor.snapshot("handshake").calls == calls
    ended = await eras.http.delete("/servers/handshake/mcp", headers=listening)
    assert ended.status_code in (200, 204)


async def test_who_says_nothing_of_it_is_answered(eras: Relay) -> None:
    """RFC 9110, section 12.5.1: without the header every kind will do; so does what curl sends."""
    body, headers = modern("tools/list")
    for accept in ("*/*", None):
        built = eras.http.build_request("POST", "/servers/modern/mcp", json=body, headers=headers)
        del built.headers["Accept"]
        if accept is not None:
            built.headers["Accept"] = accept
        assert (await eras.http.send(built)).status_code == 200
