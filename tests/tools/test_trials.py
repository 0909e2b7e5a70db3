"""A dry run shows what a server would do, touches nothing that is live and leaves nothing."""

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from gateway.servers import trials
from tests.tools.conftest import Gateway, open_gateway
from tests.tools.servers import ANY, SEND, server_code
from tests.waiting import until

WRITES = server_code(
    {"note": ANY, "fail": ANY, "die": ANY},
    """
    if name == "fail":
        return {"content": [{"type": "text", "text": "cannot"}], "isError": True}
    if name == "die":
        print("dying", file=sys.stderr, flush=True)
        os._exit(3)
    path = os.path.join(os.environ["DATA_DIR"], "notes")
    with open(path, "a+") as file:
        file.write("x")
        file.seek(0)
        return {"content": [{"type": "text", "text": file.read()}], "structuredContent": {"n": 1}}
    """,
)


def remains(gateway: Gateway) -> list[str]:
    """Return what a dry run could have left behind."""
    found = [*gateway.dynamic.glob(".trials/*"), *(gateway.folder / "home/servers").glob(".trial*")]
    return [str(path) for path in found]


async def test_code_is_tried_with_calls_before_it_goes_live(gateway: Gateway) -> None:
    """Issue 4: each result or error, the tools found, the end of standard error."""
    tried = await gateway.call(
        "test_mcp_server",
        code=WRITES,
        calls=[{"tool": "note"}, {"tool": "mcp__trial__note"}, {"tool": "fail"}, {"tool": "die"}],
    )
    assert [tool["name"] for tool in tried["tools"]] == ["note", "fail", "die"]
    seen = [(call["tool"], call["ok"], call["text"]) for call in tried["calls"]]
    assert seen == [
        ("note", True, "x"),
        ("note", True, "xx"),
        ("fail", False, "cannot"),
        ("die", False, "the server ended: exit code 3"),
    ]
    assert tried["calls"][0]["structured"] == {"n": 1}
    assert tried["stderr_tail"] == ["dying"]
    assert (tried["ok"], tried["message"]) == (
        False,
        "The server runs, and 2 of 4 calls succeed.",
    )
    assert gateway.services.servers.names() == ()
    assert gateway.services.supervisor.names == ()
    assert remains(gateway) == []


async def test_a_live_server_is_not_touched_by_a_dry_run_of_its_code(gateway: Gateway) -> None:
    """Issue 4: an own temporary DATA_DIR, and never the live server."""
    await gateway.call("create_mcp_server", name="notes", code=WRITES)
    for _ in range(2):
        await gateway.raw("invoke_internal_mcp_tool", tool="notes:note")
    before = gateway.services.supervisor.snapshot("notes")
    present = await gateway.call("test_mcp_server", name="notes", calls=[{"tool": "note"}])
    assert (present["ok"], present["calls"][0]["text"]) == (True, "x")
    other = await gateway.call(
        "test_mcp_server", name="notes", code=SEND, calls=[{"tool": "send", "arguments": {}}]
    )
    assert [tool["name"] for tool in other["tools"]] == ["send"]
    after = gateway.services.supervisor.snapshot("notes")
    assert (after.pid, after.calls, after.generation) == (before.pid, before.calls, 1)
    assert (gateway.folder / "home/servers/notes/data/notes").read_text() == "xx"
    assert len((await gateway.call("list_server_versions", name="notes"))["versions"]) == 1
    assert remains(gateway) == []


async def test_code_that_does_not_start_is_told_with_its_line(gateway: Gateway) -> None:
    """Issue 4: the traceback with line and source."""
    tried = await gateway.call("test_mcp_server", code="import json\njson.loads('{')\n")
    assert tried["ok"] is False
    assert tried["fault"]["line"] == 2
    assert "(server.py, line 2: `json.loads('{')`)" in tried["message"]
    assert ".trial" not in tried["message"]
    assert remains(gateway) == []


async def test_credentials_of_a_server_are_given_only_when_asked_for(gateway: Gateway) -> None:
    """Issue 4: of that name only, if `name` is given and asked for."""
    body = "return {'content': [{'type': 'text', 'text': str(len(os.environ['KEY']))}]}"
    code = server_code({"show": ANY}, body)
    await gateway.call(
        "create_mcp_server", name="email", code=code, credentials={"KEY": "hidden-value"}
    )
    calls = [{"tool": "show"}]
    bare = await gateway.call("test_mcp_server", name="email", calls=calls)
    assert (bare["ok"], bare["missing_credentials"], bare["calls"]) == (False, ["KEY"], [])
    given = await gateway.call("test_mcp_server", name="email", calls=calls, with_credentials=True)
    assert given["calls"][0]["text"] == str(len("hidden-value"))
    assert "hidden-value" not in repr(given)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "Give code, or the name of a dynamic server, or both."),
        ({"name": "nobody"}, "There is no server named 'nobody'"),
        ({"name": "../x"}, "The server name '../x' is not allowed"),
        ({"code": "def f(:"}, "server.py is not valid Python: invalid syntax at line 1"),
        ({"code": " "}, "The code is empty"),
        ({"code": SEND, "with_credentials": True}, "with_credentials goes with the name"),
        ({"code": SEND, "network": "full"}, "full network is the owner's to grant"),
        ({"code": SEND, "network": ["10.0.0.1"]}, "10.0.0.1"),
        ({"code": SEND, "dependencies": ["-r x"]}, "only packages by name are allowed here"),
        ({"code": SEND, "calls": [{"tool": ""}]}, 'the argument "calls.0.tool" should'),
        ({"code": SEND, "calls": [{"tol": "x"}]}, "calls.0.tol"),
        ({"code": SEND, "calls": [{"tool": "x", "arguments": []}]}, "calls.0.arguments"),
        ({"code": SEND, "calls": [{"tool": "x"}] * 21}, 'the argument "calls" should have at most'),
    ],
)
async def test_wrong_input_starts_nothing(
    untouched: Gateway, arguments: dict[str, Any], expected: str
) -> None:
    """Ours: one sentence, and nothing changed."""
    sentence = await untouched.refusal("test_mcp_server", **arguments)
    assert expected in sentence
    assert "\n" not in sentence
    assert remains(untouched) == []


async def test_a_dry_run_is_bounded_in_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 4: a call that hangs is given up, and the next one is made; so is all of it."""
    code = server_code(
        {"hang": ANY, "go": ANY},
        "import time\ntime.sleep(3600 if name == 'hang' else 0)\nreturn {'content': []}",
    )
    monkeypatch.setattr(trials, "CALL_S", 0.5)
    tried = await gateway.call("test_mcp_server", code=code, calls=[{"tool": "hang"}])
    assert tried["calls"][0]["text"] == "no answer within 0.5 s"
    monkeypatch.setattr(trials, "WHOLE_S", 0.5)
    monkeypatch.setattr(trials, "CALL_S", 60.0)
    tried = await gateway.call("test_mcp_server", code=code, calls=[{"tool": "hang"}])
    assert tried["message"] == (
        "The server did not run: it took longer than 0.5 s and was stopped."
    )
    assert remains(gateway) == []


async def test_a_caller_who_leaves_and_a_killed_gateway_leave_nothing(tmp_path: Path) -> None:
    """Issue 4: leaves nothing behind."""
    slow = server_code({"go": ANY}, before="import time\ntime.sleep(3600)")
    left = tmp_path / "home/servers/.trial-left/data"
    left.mkdir(parents=True)
    (tmp_path / "dynamic/.trials/.trial-left/x").mkdir(parents=True)
    async with open_gateway(tmp_path) as gateway:
        assert remains(gateway) == []
        others = psutil.Process().children()
        draft = trials.Draft(code=slow)
        run = partial(gateway.services.trials.run, None, draft, [], with_credentials=False)
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await until(lambda: psutil.Process().children() != others)
            group.cancel_scope.cancel()
        assert psutil.Process().children() == others
        assert remains(gateway) == []
