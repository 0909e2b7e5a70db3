"""What a request of the modern era must say of itself, in its headers and in its body."""

import base64
from typing import Any

import pytest

from gateway.mcp_headers import stateless_headers
from supervisor.children.era import MODERN_VERSION, PREFIX
from tests.relay.conftest import Relay, modern, request

ERAS = pytest.mark.parametrize("server", ["handshake", "modern"])


def encoded(name: str) -> str:
    """Return a name as a header carries what is not ASCII."""
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


@ERAS
@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"],
)
async def test_removed_methods_are_unknown_whatever_the_child_speaks(
    eras: Relay, server: str, method: str
) -> None:
    """MCP 2026-07-28, changelog; a second initialize would change the child for everybody."""
    answer = await eras.post(server, *modern(method, {}, "r"))
    error = answer.json()["error"]
    assert (answer.status_code, answer.json()["id"], error["code"]) == (404, "r", -32601)


@ERAS
@pytest.mark.parametrize("method", ["server/discover", "subscriptions/listen"])
async def test_a_handshake_caller_finds_no_modern_methods(
    eras: Relay, server: str, method: str
) -> None:
    """MCP 2025-11-25 has no such methods; a stream that never ends would be no answer."""
    session = await eras.open_session(server)
    answer = await eras.post(server, request(method, {}), session)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32601)


@ERAS
@pytest.mark.parametrize("method", ["server/discover", "tools/list"])
@pytest.mark.parametrize("lacking", ["protocolVersion", "clientCapabilities", None])
async def test_the_envelope_is_required(
    eras: Relay, server: str, method: str, lacking: str | None
) -> None:
    """MCP 2026-07-28, basic: -32602 names what is missing, with the request's id."""
    body, headers = modern(method, {}, "r")
    if lacking is None:
        del body["params"]["_meta"]
    else:
        del body["params"]["_meta"][PREFIX + lacking]
    answer = await eras.post(server, body, headers)
    error = answer.json()["error"]
    assert (answer.status_code, answer.json()["id"], error["code"]) == (400, "r", -32602)
    assert PREFIX + (lacking or "protocolVersion") in error["message"]


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
async def test_a_header_that_comes_twice_is_refused(eras: Relay, name: str) -> None:
    """MCP 2026-07-28: two readers could take different ones."""
    body, headers = modern("tools/call", {"name": "version"}, "r")
    twice = [*headers.items(), (name, headers[name])]
    answer = await eras.http.post("/servers/handshake/mcp", json=body, headers=twice)
    error = answer.json()["error"]
    assert (answer.status_code, answer.json()["id"], error["code"]) == (400, "r", -32020)
    assert "more than once" in error["message"]


@pytest.mark.parametrize(
    ("header", "stated", "code"),
    [
        (MODERN_VERSION, "2025-11-25", -32020),
        ("2025-11-25", MODERN_VERSION, -32020),
        (None, MODERN_VERSION, -32020),
        ("2099-01-01", "2099-01-01", -32022),
        (MODERN_VERSION, 5, -32020),
    ],
)
async def test_header_and_body_must_agree_on_a_revision_that_is_known(
    eras: Relay, header: str | None, stated: object, code: int
) -> None:
    """MCP 2026-07-28: a request that contradicts itself is told so before anything else."""
    body, headers = modern("tools/list", {}, 7)
    body["params"]["_meta"][PREFIX + "protocolVersion"] = stated
    headers["MCP-Protocol-Version"] = header or ""
    sent = {k: v for k, v in headers.items() if v}
    answer = await eras.post("handshake", body, sent)
    error = answer.json()["error"]
    assert (answer.status_code, answer.json()["id"], error["code"]) == (400, 7, code)
    if code == -32022:
        assert error["data"] == {"supported": [MODERN_VERSION], "requested": "2099-01-01"}


@pytest.mark.parametrize(
    ("name", "header", "status"),
    [
        ("grüße", encoded("grüße"), 200),
        ("grüße", encoded("other"), 400),
        ("version", encoded("version"), 200),
        ("version", "=?base64?%%%?=", 400),
        ("a", "=?base64?YR==?=", 400),
        ("=?base64?YQ==?=", "=?base64?YQ==?=", 400),
    ],
)
async def test_names_beyond_ascii_come_in_base64(
    eras: Relay, name: str, header: str, status: int
) -> None:
    """MCP 2026-07-28, basic/transports: one spelling for each name."""
    body, headers = modern("prompts/get", {"name": name})
    headers["Mcp-Name"] = header
    answer = await eras.post("handshake", body, headers)
    # The child has no prompts: its own -32601 says that the request got there.
    reached = answer.json()["error"]["code"] == -32601
    assert reached is (status == 200)


@pytest.mark.parametrize("name", ["t1", "t2", None])
async def test_a_task_is_named_in_its_header(eras: Relay, name: str | None) -> None:
    """SEP-2663: tasks are an extension, whose methods are passed on."""
    body, headers = modern("tasks/get", {"taskId": "t1"})
    answer = await eras.post("handshake", body, {**headers, **({"Mcp-Name": name} if name else {})})
    assert answer.json()["error"]["code"] == (-32601 if name == "t1" else -32020)


async def test_notifications_are_taken_and_answers_are_not(eras: Relay) -> None:
    """MCP 2026-07-28: 202 for what is posted without an id; nobody asked for an answer."""
    headers = {"MCP-Protocol-Version": MODERN_VERSION}
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await eras.post("handshake", note, headers)).status_code == 202
    unknown = await eras.post("handshake", note, {"MCP-Protocol-Version": "2099-01-01"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, -32022)
    answer = await eras.post("handshake", {"jsonrpc": "2.0", "id": 1, "result": {}}, headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_is_nothing_but_post(eras: Relay, method: str) -> None:
    """MCP 2026-07-28: no sessions, no standing stream."""
    headers = {"MCP-Protocol-Version": MODERN_VERSION}
    answer = await eras.http.request(method, "/servers/handshake/mcp", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("arguments", "headers", "fits"),
    [
        ({"region": "eu"}, {"Mcp-Param-Region": "eu"}, True),
        ({"region": "ü"}, {"Mcp-Param-Region": encoded("ü")}, True),
        ({"region": "eu"}, {"Mcp-Param-Region": "us"}, False),
        ({"region": "eu"}, {}, False),
        ({}, {"Mcp-Param-Region": "eu"}, False),
        ({"region": None}, {}, True),
        ({"region": "eu", "page": {"size": 42.0}}, {"Mcp-Param-Region": "eu"}, False),
        ({"page": {"size": 42.0}}, {"Mcp-Param-Size": "42"}, True),
        ({"page": {"size": 42}}, {"Mcp-Param-Size": "42.0"}, True),
        ({"page": {"size": 42}}, {"Mcp-Param-Size": "42.5"}, False),
        ({"dry": True}, {"Mcp-Param-Dry": "true"}, True),
        ({"dry": True}, {"Mcp-Param-Dry": "1"}, False),
        ({}, {"Mcp-Param-Other": "x"}, True),
    ],
)
async def test_arguments_that_are_repeated_in_headers_must_be_the_same_there(
    eras: Relay, arguments: dict[str, Any], headers: dict[str, str], fits: bool
) -> None:
    """MCP 2026-07-28, basic/transports, custom headers: -32020."""
    body, own = modern("tools/call", {"name": "echo", "arguments": arguments})
    answer = await eras.post("handshake", body, {**own, **headers})
    if fits:
        assert answer.status_code == 200, answer.text
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_the_bridge_of_standard_input_names_a_task_in_its_header() -> None:
    """SEP-2663, Routing Headers: the endpoint refuses what lacks them."""
    headers = stateless_headers({"method": "tasks/get", "params": {"taskId": "t1"}}, "2026-07-28")
    assert headers["Mcp-Name"] == "t1"
