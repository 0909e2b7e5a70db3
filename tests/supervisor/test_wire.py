"""Framing and envelopes."""

import json

import msgspec
import pytest

from supervisor.children.wire import (
    OversizedFrame,
    Splitter,
    error_message,
    notification_line,
    one_line,
    parse_envelope,
    parse_fields,
    request_line,
    with_member,
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_come_out_whole_however_the_bytes_come_in(size: int) -> None:
    """Ours."""
    text = 'first\n\n{"a":"\u2028 \u0085"}\nlast\n'.encode()
    splitter = Splitter()
    lines = [
        line for at in range(0, len(text), size) for line in splitter.feed(text[at : at + size])
    ]
    assert lines == [b"first", b"", '{"a":"\u2028 \u0085"}'.encode(), b"last"]


def test_a_line_over_the_cap_is_refused_before_its_end_comes() -> None:
    """Design 3.3: frames are capped before parsing."""
    splitter = Splitter(max_bytes=10)
    assert list(splitter.feed(b"0123456789\n01234")) == [b"0123456789"]
    with pytest.raises(OversizedFrame, match="more than 10 bytes"):
        list(splitter.feed(b"56789x"))


@pytest.mark.parametrize(
    "line", [b"", b"null", b"[]", b"{}", b"1", b"hello", b'{"id":', b'{"method":1}', b"\xff"]
)
def test_what_is_no_json_rpc_message_is_none(line: bytes) -> None:
    """JSON-RPC 2.0, sections 4 and 5."""
    assert parse_envelope(line) is None


def test_ids_keep_their_exact_text() -> None:
    """Research A.4: "1" and 1 are two ids."""
    for text in ("1", '"1"', "1.5", '"\\u0041"', "null"):
        envelope = parse_envelope(f'{{"jsonrpc":"2.0","id":{text},"method":"m"}}'.encode())
        assert envelope is not None
        assert envelope.id is not None
        assert bytes(envelope.id) == text.encode()


def test_params_pass_as_the_bytes_they_were() -> None:
    """Design 3.3: params are not decoded."""
    params = b'{"b":1.0,"a":[1e3,"\\u00e9"],"b2":{"x":null}}'
    envelope = parse_envelope(b'{"id":7,"method":"m","params":' + params + b"}")
    assert envelope is not None
    assert request_line(9, "m", envelope.params) == (
        b'{"jsonrpc":"2.0","id":9,"method":"m","params":' + params + b"}\n"
    )


def test_a_pretty_printed_body_becomes_one_line() -> None:
    """MCP, basic/transports, stdio: messages hold no newlines."""
    pretty = b'{\r\n  "a": "line\\nend"\n}'
    assert b"\n" not in one_line(pretty)
    assert json.loads(one_line(pretty)) == {"a": "line\nend"}


def test_routing_fields_of_other_types_are_ignored() -> None:
    """Ours: what routing does not understand is the child's to judge."""
    assert parse_fields(b'{"name":5}').name is None
    assert parse_fields(b"[1]").meta is None
    assert parse_fields(None).uri is None


def test_setting_one_member_leaves_the_others_byte_for_byte() -> None:
    """Ours."""
    raw = b'{"keep":[1.50,"x"],"progressToken":1}'
    changed = with_member(raw, "progressToken", msgspec.Raw(b'"t"'))
    assert changed == b'{"keep":[1.50,"x"],"progressToken":"t"}'


def test_errors_and_notifications_are_json_rpc() -> None:
    """JSON-RPC 2.0, sections 4.1 and 5.1."""
    assert json.loads(error_message(None, -32700, "m", {"x": 1})) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32700, "message": "m", "data": {"x": 1}},
    }
    assert notification_line("n", None) == b'{"jsonrpc":"2.0","method":"n"}\n'
