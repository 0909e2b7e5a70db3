"""What is translated between the eras, byte by byte."""

import json

import msgspec
import pytest

from supervisor.children.era import (
    MODERN_VERSION,
    PREFIX,
    read_discover,
    read_initialize,
    to_handshake_params,
    to_modern_params,
    to_modern_result,
)
from supervisor.errors import NotMcp
from supervisor.spec import Era

INITIALIZED = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {"listChanged": True}},
    "serverInfo": {"name": "s", "version": "1"},
    "instructions": "use it",
}


def raw(value: object) -> msgspec.Raw:
    """Return a value as undecoded JSON."""
    return msgspec.Raw(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-06-18"),
        ("1999-01-01", "2025-06-18"),
        (None, "2025-06-18"),
    ],
)
def test_a_caller_gets_its_version_unless_the_child_is_older(asked: str | None, given: str) -> None:
    """MCP, basic/lifecycle, version negotiation."""
    handshake = read_initialize(raw(INITIALIZED))
    assert json.loads(handshake.initialize_result(asked)) == {
        **INITIALIZED,
        "protocolVersion": given,
    }


def test_a_handshake_child_can_be_discovered_by_a_modern_caller() -> None:
    """MCP 2026-07-28, server/discover."""
    found = json.loads(read_initialize(raw(INITIALIZED)).discover_result())
    assert found == {
        "resultType": "complete",
        "supportedVersions": [MODERN_VERSION],
        "capabilities": INITIALIZED["capabilities"],
        "instructions": "use it",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {PREFIX + "serverInfo": INITIALIZED["serverInfo"]},
    }


def test_a_modern_child_can_be_initialised_by_a_handshake_caller() -> None:
    """Design 3.4: bridged both ways."""
    discovered = {"supportedVersions": [MODERN_VERSION], "capabilities": {"tools": {}}}
    handshake = read_discover(raw(discovered))
    assert handshake.era is Era.MODERN
    assert json.loads(handshake.initialize_result("2025-06-18")) == {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "unnamed", "version": "0"},
    }


@pytest.mark.parametrize("answer", [[], {}, {"supportedVersions": ["2099-01-01"]}, 5])
def test_a_child_of_neither_era_is_refused(answer: object) -> None:
    """Ours."""
    with pytest.raises(NotMcp):
        read_discover(raw(answer))


def test_the_modern_envelope_is_added_and_what_was_there_stays() -> None:
    """MCP 2026-07-28, basic: every request carries its version and capabilities."""
    params = b'{"name":"x","arguments":{"n":1.0},"_meta":{"progressToken":"t"}}'
    made = to_modern_params(params)
    assert b'"arguments":{"n":1.0}' in made
    meta = json.loads(made)["_meta"]
    assert meta["progressToken"] == "t"
    assert meta[PREFIX + "protocolVersion"] == MODERN_VERSION
    assert meta[PREFIX + "clientCapabilities"] == {}


def test_the_modern_envelope_is_removed_and_the_rest_of_meta_stays() -> None:
    """Research A.3.3: a handshake child refuses the envelope."""
    meta = {
        PREFIX + "protocolVersion": MODERN_VERSION,
        PREFIX + "clientCapabilities": {},
        "traceparent": "00-1",
    }
    made = to_handshake_params(json.dumps({"name": "x", "_meta": meta}).encode())
    assert json.loads(bytes(made or b"")) == {"name": "x", "_meta": {"traceparent": "00-1"}}
    bare = to_handshake_params(json.dumps({"_meta": {PREFIX + "clientInfo": {}}}).encode())
    assert bytes(bare or b"") == b"{}"
    assert to_handshake_params(None) is None


@pytest.mark.parametrize(
    ("method", "result", "expected"),
    [
        ("tools/call", b"{}", b'{"resultType":"complete"}'),
        ("tools/call", b'{"content":[]}', b'{"resultType":"complete","content":[]}'),
        ("tools/call", b'{"resultType":"other"}', b'{"resultType":"other"}'),
        (
            "tools/list",
            b'{"tools":[]}',
            b'{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[]}',
        ),
    ],
)
def test_results_get_what_the_modern_era_requires(
    method: str, result: bytes, expected: bytes
) -> None:
    """MCP 2026-07-28: resultType always, caching hints on lists and reads."""
    assert to_modern_result(method, msgspec.Raw(result)) == expected
