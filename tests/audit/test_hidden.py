"""A secret that a server prints is in nothing that the gateway wrote or tells."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

from gateway.cli.client import request_local
from gateway.local import FILE_NAME
from tests.audit.conftest import CREDENTIAL, VALUE, Stage


def spelled() -> Iterator[bytes]:
    """Yield what must not be found: each spelling, and enough of the middle of one."""
    data = CREDENTIAL.encode()
    whole = [data, quote(CREDENTIAL).encode(), data.hex().encode(), json.dumps(CREDENTIAL).encode()]
    for each in (*whole, *(base64.b64encode(b"x" * n + data)[3:-4] for n in range(3))):
        yield each.strip(b'"')
        yield each[len(each) // 2 - 8 : len(each) // 2 + 8].strip(b'"')


def test_a_canary_in_every_spelling_is_nowhere(stage: Stage) -> None:
    """Issue 6, point 8: whole, over two writes, over two lines; files, log, tools, reports."""
    answer = stage.call("/servers/x/mcp", "leak")
    assert not answer.get("isError")
    stage.call("/servers/x/mcp", "send", to=VALUE)
    stage.place.run("call", "invoke_internal_mcp_tool", '{"tool": "x.die"}')
    told = [
        json.dumps(stage.call("/mcp", tool, **arguments)).encode()
        for tool, arguments in (
            ("get_server_logs", {"server": "x", "lines": 500}),
            ("get_crash_report", {"server": "x"}),
            ("get_server_health", {"server": "x"}),
            ("list_audit_entries", {"limit": 1000}),
        )
    ]
    told.append(json.dumps(request_local(stage.live, "GET", "status")).encode())
    assert b"the end" in told[0] and b"[API_KEY hidden]" in told[0]
    assert b"[API_KEY hidden]" in told[1]
    for secret in spelled():
        for text in told:
            assert secret not in text, secret
        for path, text in stage.written().items():
            assert secret not in text, (path, secret)


def test_no_value_of_an_argument_is_kept(stage: Stage) -> None:
    """Research E, row 16: no raw values in the default log."""
    stage.call("/servers/x/mcp", "send", to=VALUE)
    stage.call("/mcp", "invoke_internal_mcp_tool", tool="x.send", payload={"to": VALUE})
    assert stage.entries(tool="send", limit="2")
    for path, text in stage.written().items():
        assert VALUE.encode() not in text, path


def test_tokens_that_were_given_out_are_in_no_file_but_the_owners(stage: Stage) -> None:
    """Issue 6, point 8: tokens we gave out."""
    made = stage.place.run("token", "create", "--name", "canary", "--scope", "run")
    token = made.stdout.strip().splitlines()[-1].encode()
    assert token.startswith(b"crt_")
    own = stage.live.token.encode()
    for path, text in stage.written().items():
        assert token not in text, path
        assert own not in text or path.endswith(FILE_NAME), path
