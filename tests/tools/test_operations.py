"""How servers are, what they wrote, and a fresh start: for fixed and dynamic ones alike."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from supervisor.children.log_reader import LogLine, Wanted, read_log
from supervisor.children.stderr_log import FILE_BYTES, StderrLog
from supervisor.redaction import Redactor
from tests.tools.conftest import Gateway, open_gateway, write_server
from tests.tools.servers import ANY, SEND, server_code

TALKS = server_code({"say": ANY}, before="import sys\nprint('Hello\\nthere', file=sys.stderr)")


async def texts(gateway: Gateway, **wanted: Any) -> list[str]:
    """Return the lines that a tool shows."""
    found = await gateway.call("get_server_logs", server="email", **wanted)
    return [line["text"] for line in found["lines"]]


async def test_logs_are_lines_with_times_that_can_be_searched(gateway: Gateway) -> None:
    """Issue 4: lines, since, contains."""
    began = datetime.now(UTC) - timedelta(seconds=5)
    await gateway.call("create_mcp_server", name="email", code=TALKS)
    await gateway.call("restart_mcp_server", name="email")
    assert await texts(gateway) == ["Hello", "there", "Hello", "there"]
    assert await texts(gateway, lines=1) == ["there"]
    assert await texts(gateway, contains="hell") == ["Hello", "Hello"]
    assert await texts(gateway, since="5m", contains="nothing") == []
    assert await texts(gateway, since=began.isoformat()) == ["Hello", "there"] * 2
    assert await texts(gateway, since="0s") == []
    found = await gateway.call("get_server_logs", server="email")
    assert datetime.fromisoformat(found["lines"][0]["at"]) > began
    assert found["cut"] is False


async def test_a_server_that_wrote_nothing_has_no_lines(gateway: Gateway) -> None:
    """Ours: no file is no fault."""
    await gateway.call("create_mcp_server", name="email", code=SEND)
    assert await texts(gateway) == []


async def test_logs_are_bounded_and_the_newest_win(gateway: Gateway) -> None:
    """Ours: an answer that a model can read."""
    many = "import sys\nfor n in range(900): print(f'{n:04}', 'x' * 200, file=sys.stderr)"
    await gateway.call("create_mcp_server", name="email", code=server_code({"a": ANY}, before=many))
    found = await gateway.call("get_server_logs", server="email", lines=1000)
    assert found["cut"] is True
    assert sum(len(line["text"]) for line in found["lines"]) <= 60_000
    assert found["lines"][-1]["text"].startswith("0899 ")


async def test_health_tells_what_is_wrong_and_shows_it_first(tmp_path: Path) -> None:
    """Issue 4: state, level, generation, uptime, restarts, last exit, tools, use and speed."""
    write_server(tmp_path / "fixed", "clock", SEND)
    async with open_gateway(tmp_path) as gateway:
        await gateway.call("create_mcp_server", name="email", code="raise SystemExit(3)")
        await gateway.call("create_mcp_server", name="off", code=SEND, enable=False)
        await gateway.raw("invoke_internal_mcp_tool", tool="clock:send", payload={"to": "x"})
        seen = await gateway.call("get_server_health")
        assert [(one["server"], one["healthy"]) for one in seen["servers"]] == [
            ("email", False),
            ("clock", True),
            ("off", True),
        ]
        assert (sum(seen["states"].values()), seen["states"]["ready"], seen["more"]) == (3, 1, 0)
        assert "exit code 3" in seen["servers"][0]["problem"]
        clock = (await gateway.call("get_server_health", server="clock"))["servers"]
        assert [(one["kind"], one["sandbox"], one["tools"]) for one in clock] == [
            ("fixed", "off", 1)
        ]
        assert (clock[0]["calls"], clock[0]["restarts"], clock[0]["problem"]) == (1, 0, "")
        assert clock[0]["uptime_s"] > 0


async def test_a_restart_is_a_new_process_and_disabled_servers_stay_off(gateway: Gateway) -> None:
    """Issue 4."""
    made = await gateway.call("create_mcp_server", name="email", code=SEND)
    again = await gateway.call("restart_mcp_server", name="email")
    assert (again["ok"], again["message"]) == (True, "Server 'email' is restarted and ready.")
    assert again["server"]["pid"] != made["server"]["pid"]
    await gateway.call("disable_mcp_server", name="email")
    refused = await gateway.refusal("restart_mcp_server", name="email")
    assert refused == "Server 'email' is disabled; enable it with enable_mcp_server."
    assert gateway.services.supervisor.snapshot("email").state == "disabled"


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("restart_mcp_server", {"name": "nobody"}, "There is no server named 'nobody'"),
        ("restart_mcp_server", {"name": "../x"}, "The server name '../x' is not allowed"),
        ("get_server_health", {"server": "nobody"}, "There is no server named 'nobody'"),
        ("get_server_logs", {"server": "nobody"}, "There is no server named 'nobody'"),
        ("get_server_logs", {"server": "email", "lines": 0}, 'argument "lines" should be greater'),
        ("get_server_logs", {"server": "email", "lines": 9999}, 'argument "lines" should be less'),
        ("get_server_logs", {"server": "email", "since": "soon"}, 'since is "soon"; write a time'),
        ("get_server_logs", {"server": "email", "since": "0001-01-01T00:00:00+23:00"}, "since is"),
        ("get_server_logs", {"server": "email", "since": "x" * 50}, 'argument "since" should have'),
        ("get_server_logs", {"server": "email", "contains": "x" * 300}, 'argument "contains"'),
    ],
)
async def test_wrong_input_gets_one_sentence(
    quiet: Gateway, tool: str, arguments: dict[str, Any], expected: str
) -> None:
    """Ours."""
    sentence = await quiet.refusal(tool, **arguments)
    assert expected in sentence
    assert "\n" not in sentence


@pytest.fixture(scope="module")
async def quiet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A gateway with one server that nobody starts."""
    folder = tmp_path_factory.mktemp("quiet")
    write_server(folder / "dynamic", "email", SEND, enabled=False)
    async with open_gateway(folder) as opened:
        yield opened


def test_lines_of_rotated_files_come_first_and_old_lines_have_no_time(tmp_path: Path) -> None:
    """Ours: a log outlives the release that wrote it."""
    path = tmp_path / "stderr.log"
    path.write_bytes(b"without a time\n")
    log = StderrLog(path, Redactor())
    log.begin().write(b"one\n")
    log.begin().write(b"x" * FILE_BYTES + b"\n")
    log.begin().write(b"two\n")
    log.close()
    assert path.with_name("stderr.log.1").exists()
    found = read_log(path, Wanted(lines=10))
    assert found[0] == LogLine(None, "without a time")
    assert [found[1].text, found[-1].text] == ["one", "two"]
    assert found[1].at is not None
    assert read_log(tmp_path / "nothing.log", Wanted(lines=10)) == ()
