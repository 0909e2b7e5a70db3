"""Servers that are written, changed and removed at run time, with real child processes."""

import json
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import lowlevel

from gateway.servers import Draft
from supervisor.events import ServerState
from tests.tools.conftest import Gateway, open_gateway, text_of, write_server
from tests.tools.servers import ANY, SEND, server_code

BROKEN = server_code({"send": ANY}, before="raise SystemExit('no database')")
NEW = server_code({"send": ANY, "receive": ANY})


async def test_a_created_server_is_called_at_once(gateway: Gateway) -> None:
    """Ours: Claude writes a tool in a chat and uses it seconds later."""
    answer = await gateway.call("create_mcp_server", name="email", code=SEND, description="Mails.")
    assert answer["ok"] is True
    assert answer["message"] == "Server 'email' is created and ready."
    assert answer["server"]["state"] == "ready"
    assert answer["server"]["description"] == "Mails."
    assert [tool["name"] for tool in answer["tools"]] == ["mcp__email__send"]
    assert answer["tools"][0]["input_schema"]["required"] == ["to"]
    result = await gateway.raw("invoke_internal_mcp_tool", tool="email:send", payload={"to": "x"})
    assert text_of(result) == '{"to": "x"}'


async def test_a_server_outlives_the_gateway(tmp_path: Path) -> None:
    """Ours: folders and switches are the truth at the next start."""
    async with open_gateway(tmp_path) as gateway:
        await gateway.call("create_mcp_server", name="one", code=SEND)
        await gateway.call("create_mcp_server", name="two", code=SEND, enable=False)
    async with open_gateway(tmp_path) as gateway:
        listed = await gateway.call("list_dynamic_mcp_servers")
        states = [(server["name"], server["state"]) for server in listed["servers"]]
        assert states == [("one", "stopped"), ("two", "disabled")]
        payload = {"to": "me"}
        result = await gateway.raw("invoke_internal_mcp_tool", tool="one:send", payload=payload)
        assert not result.is_error


async def test_a_server_made_disabled_starts_when_enabled(gateway: Gateway) -> None:
    """Ours: enable=false writes the code and runs nothing."""
    answer = await gateway.call("create_mcp_server", name="email", code=SEND, enable=False)
    assert (answer["ok"], answer["server"]["state"]) == (True, "disabled")
    refusal = await gateway.refusal("invoke_internal_mcp_tool", tool="email:send")
    assert refusal == "Server 'email' is disabled; start it with enable_mcp_server."
    answer = await gateway.call("enable_mcp_server", name="email")
    assert (answer["ok"], answer["server"]["state"]) == (True, "ready")
    answer = await gateway.call("disable_mcp_server", name="email")
    assert (answer["ok"], answer["server"]["enabled"]) == (True, False)
    assert gateway.services.supervisor.snapshot("email").state is ServerState.DISABLED


async def test_a_syntax_error_is_answered_with_its_line_and_nothing_is_written(
    gateway: Gateway,
) -> None:
    """Ours: parse before spawn."""
    refusal = await gateway.refusal("create_mcp_server", name="email", code="x = 1\ndef f(:\n")
    assert refusal == "server.py is not valid Python: invalid syntax at line 2: `def f(:`."
    assert not (gateway.dynamic / "email").exists()
    assert (await gateway.call("list_dynamic_mcp_servers"))["servers"] == []


async def test_a_server_that_does_not_start_is_kept_and_can_be_mended(gateway: Gateway) -> None:
    """Ours: the answer has the reason and the end of standard error; one update repairs it."""
    answer = await gateway.call("create_mcp_server", name="email", code=BROKEN)
    assert answer["ok"] is False
    assert "Server 'email' is backoff" in answer["message"]
    assert "no database" in answer["stderr_tail"]
    answer = await gateway.call("update_mcp_server", name="email", code=SEND)
    assert (answer["ok"], answer["server"]["state"]) == (True, "ready")


async def test_new_code_takes_over(gateway: Gateway) -> None:
    """Ours: an update is a new generation with the new tools."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    answer = await gateway.call("update_mcp_server", name="email", code=NEW)
    assert answer["ok"] is True
    assert answer["server"]["generation"] == 2
    assert answer["server"]["tools"] == ["mcp__email__send", "mcp__email__receive"]
    detail = await gateway.call("get_dynamic_mcp_server", name="email")
    assert detail["code"] == NEW


async def test_code_that_does_not_start_leaves_the_old_serving_and_on_disk(
    gateway: Gateway,
) -> None:
    """Ours: folder and child always agree."""
    await gateway.call("create_mcp_server", name="email", code=SEND, description="Mails.")
    pid = gateway.services.supervisor.snapshot("email").pid
    answer = await gateway.call(
        "update_mcp_server", name="email", code=BROKEN, description="Other."
    )
    assert answer["ok"] is False
    assert "no database" in answer["stderr_tail"]
    assert (answer["server"]["state"], answer["server"]["pid"]) == ("ready", pid)
    assert answer["server"]["description"] == "Mails."
    assert (gateway.dynamic / "email" / "server.py").read_text() == SEND
    assert "Mails." in (gateway.dynamic / "email" / "metadata.json").read_text()
    assert sorted(path.name for path in gateway.dynamic.rglob("email")) == ["email"]
    result = await gateway.raw("invoke_internal_mcp_tool", tool="email:send", payload={"to": "x"})
    assert text_of(result) == '{"to": "x"}'


async def test_files_beside_the_code_survive_an_update(gateway: Gateway) -> None:
    """Ours: an owner may have put a module there."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    (gateway.dynamic / "email" / "helper.py").write_text("x = 1\n")
    await gateway.call("update_mcp_server", name="email", code=NEW)
    assert (gateway.dynamic / "email" / "helper.py").read_text() == "x = 1\n"


async def test_an_update_that_a_crash_cut_short_is_taken_back(tmp_path: Path) -> None:
    """Ours: a folder whose successor was never confirmed is the server again."""
    write_server(tmp_path / "dynamic", "email", BROKEN)
    write_server(tmp_path / "dynamic" / ".previous", "email", SEND)
    write_server(tmp_path / "dynamic" / ".next", "other", BROKEN)
    async with open_gateway(tmp_path) as gateway:
        listed = await gateway.call("list_dynamic_mcp_servers")
        assert [(s["name"], s["state"]) for s in listed["servers"]] == [("email", "ready")]
        assert (gateway.dynamic / "email" / "server.py").read_text() == SEND


async def test_a_deleted_server_leaves_nothing(gateway: Gateway) -> None:
    """Ours: code, data, credentials and switch go together."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    await gateway.call("set_server_credential", server="email", key="TOKEN", value="secret")
    state = gateway.folder / "home" / "servers" / "email"
    assert state.exists()
    await gateway.call("delete_mcp_server", name="email")
    assert not state.exists()
    assert not (gateway.dynamic / "email").exists()
    assert await gateway.services.store.servers.enabled("email") is None
    assert await gateway.services.credentials.keys("email") == frozenset()
    answer = await gateway.call("create_mcp_server", name="email", code=SEND)
    assert answer["credentials"] == []


async def test_fixed_servers_are_on_unless_their_metadata_says_otherwise(tmp_path: Path) -> None:
    """Ours: what the owner installs runs; a switch is remembered."""
    write_server(tmp_path / "fixed", "clock", SEND)
    write_server(tmp_path / "fixed", "radio", SEND, enabled=False)
    write_server(tmp_path / "fixed", "torn", SEND, nonsense=1)
    async with open_gateway(tmp_path) as gateway:
        listed = await gateway.call("list_fixed_mcp_servers")
        states = {server["name"]: server["state"] for server in listed["servers"]}
        assert states == {"clock": "ready", "radio": "disabled"}
        (problem,) = listed["problems"]
        assert "torn" in problem
        await gateway.call("enable_fixed_server", name="radio")
        await gateway.call("disable_fixed_server", name="clock")
    async with open_gateway(tmp_path) as gateway:
        listed = await gateway.call("list_fixed_mcp_servers")
        states = {server["name"]: server["state"] for server in listed["servers"]}
        assert states == {"clock": "disabled", "radio": "ready"}


async def test_fixed_and_dynamic_servers_have_their_own_tools(tmp_path: Path) -> None:
    """Ours: nothing that the owner installed is changed by a tool for written servers."""
    write_server(tmp_path / "fixed", "clock", SEND)
    async with open_gateway(tmp_path) as gateway:
        for tool in ("delete_mcp_server", "disable_mcp_server", "get_dynamic_mcp_server"):
            assert await gateway.refusal(tool, name="clock") == (
                "Server 'clock' is a fixed server, not a dynamic one;"
                " use the tools for fixed servers."
            )
        refusal = await gateway.refusal("create_mcp_server", name="clock", code=SEND)
        assert refusal.startswith("There is a fixed server named 'clock' already;")


@pytest.mark.parametrize(
    "name", ["", "../x", "a__b", "A", "1a", "a/b", "all", "claude-runner", "a" * 300, "a\n"]
)
async def test_a_bad_name_is_refused_and_writes_nothing(untouched: Gateway, name: str) -> None:
    """Ours: a name becomes a folder, a URL and part of tool names."""
    refusal = await untouched.refusal("create_mcp_server", name=name, code=SEND)
    assert refusal.startswith("The server name ")
    assert len(refusal) < 250
    for tool in ("update_mcp_server", "delete_mcp_server", "enable_mcp_server"):
        await untouched.refusal(tool, name=name)
    assert not list(untouched.folder.glob("**/server.py"))


async def test_an_unknown_server_is_named_with_those_that_exist(gateway: Gateway) -> None:
    """Ours: the caller can correct itself."""
    await gateway.call("create_mcp_server", name="email", code=SEND, enable=False)
    for tool in ("update_mcp_server", "delete_mcp_server", "enable_mcp_server"):
        refusal = await gateway.refusal(tool, name="emial")
        assert refusal == "There is no server named 'emial'; known servers: email."


async def test_a_refused_setting_changes_nothing(gateway: Gateway) -> None:
    """Ours: metadata is checked before anything is put in place."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    refusal = await gateway.refusal("update_mcp_server", name="email", credentials=["LD_PRELOAD"])
    assert "LD_PRELOAD" in refusal
    assert json.loads((gateway.dynamic / "email" / "metadata.json").read_text()) == {
        "credentials": []
    }
    assert gateway.services.supervisor.snapshot("email").generation == 1


async def test_two_who_create_the_same_server_get_one(gateway: Gateway) -> None:
    """Ours: changes to one server take turns; the second finds the name taken."""
    results: list[bool] = []

    async def create() -> None:
        result = await gateway.raw("create_mcp_server", name="email", code=SEND)
        results.append(result.is_error)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(create)
    assert sorted(results) == [False, True, True, True]
    assert gateway.services.supervisor.snapshot("email").generation == 1


async def test_an_update_after_a_delete_does_not_bring_the_server_back(gateway: Gateway) -> None:
    """Ours: whoever waited for its turn looks again."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    answers: dict[str, bool] = {}

    async def call(tool: str, **arguments: str) -> None:
        answers[tool] = (await gateway.raw(tool, name="email", **arguments)).is_error

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "delete_mcp_server")
        await lowlevel.checkpoint()
        tasks.start_soon(partial(call, "update_mcp_server", code=NEW))
    assert answers["delete_mcp_server"] is False
    assert gateway.services.servers.names() == ()
    assert not (gateway.dynamic / "email").exists()


async def test_an_unusable_folder_can_be_removed_and_its_name_used(tmp_path: Path) -> None:
    """Ours: a folder torn by hand is a problem that is shown, and goes away by a tool."""
    write_server(tmp_path / "dynamic", "email", SEND, nonsense=1)
    async with open_gateway(tmp_path) as gateway:
        listed = await gateway.call("list_dynamic_mcp_servers")
        assert len(listed["problems"]) == 1
        refusal = await gateway.refusal("create_mcp_server", name="email", code=SEND)
        assert "remove it with delete_mcp_server" in refusal
        await gateway.call("delete_mcp_server", name="email")
        assert (await gateway.call("list_dynamic_mcp_servers"))["problems"] == []
        assert (await gateway.call("create_mcp_server", name="email", code=SEND))["ok"] is True


async def test_a_caller_who_leaves_does_not_leave_half_a_change(gateway: Gateway) -> None:
    """Ours: folder, switch and child agree, whoever waits for the answer."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    slow = server_code({"send": ANY}, before="import time; time.sleep(0.3)")
    with anyio.move_on_after(0.1):
        await gateway.services.servers.update("email", Draft(code=slow), author="x")
    digest = gateway.services.servers.spec("email").digest
    assert gateway.services.supervisor.snapshot("email").digest == digest
    assert (gateway.dynamic / "email" / "server.py").read_text() in (SEND, slow)
    assert not list(gateway.dynamic.glob(".previous/*"))


async def test_a_word_that_is_no_package_is_refused_before_anything_is_written(
    gateway: Gateway,
) -> None:
    """Ours: an option of pip is not a package."""
    said = await gateway.refusal(
        "create_mcp_server", name="wrong", code=SEND, dependencies=["--index-url=http://x"]
    )
    assert "only packages by name are allowed here" in said
    assert not (gateway.dynamic / "wrong").exists()


async def test_dependencies_are_kept_by_an_update_and_taken_back_by_an_empty_list(
    gateway: Gateway,
) -> None:
    """Ours: what an update does not speak of stays."""
    made = await gateway.call(
        "create_mcp_server", name="adder", code=SEND, dependencies=["toy>=1"], enable=False
    )
    assert made["server"]["environment"] == "own"
    assert "toy>=1" in made["server"]["packages"]
    kept = await gateway.call("update_mcp_server", name="adder", description="adds")
    assert kept["server"]["packages"] == made["server"]["packages"]
    back = await gateway.call("update_mcp_server", name="adder", dependencies=[])
    assert (back["server"]["environment"], back["server"]["packages"]) == ("shipped", [])
