"""The whole story of a server that Claude writes, through the connector of a real gateway."""

from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import TextContent

from tests.cli.gateways import make_place
from tests.e2e.conftest import client, wait_ready
from tests.sandboxes.conftest import open_to_all
from tests.waiting import until_seen

pytestmark = pytest.mark.timeout(180)

WITH_A_BUG = '''\
import os

RATES = {"EUR": 1.0, "USD": 1.25}
BASE = RATES["eur"]
KEY = os.environ.get("RATES_KEY")


@mcp.tool
def convert(amount: float, currency: str) -> float:
    """Convert an amount of euros."""
    return amount * RATES[currency] / BASE
'''


class Connector:
    """The management tools as Claude has them."""

    def __init__(self, session: Client[StreamableHttpTransport]) -> None:
        self._session = session

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the structured answer of a tool that must not refuse."""
        result = await self._session.call_tool_mcp(tool, arguments)
        assert not result.is_error, result
        assert result.structured_content is not None
        return result.structured_content

    async def versions(self) -> list[dict[str, Any]]:
        """Return the server's versions, newest first."""
        return (await self.call("list_server_versions", name="money"))["versions"]

    async def convert(self, amount: float, currency: str) -> str:
        """Call the server's tool in the same chat."""
        payload = {"amount": amount, "currency": currency}
        result = await self._session.call_tool_mcp(
            "invoke_internal_mcp_tool", {"tool": "money:convert", "payload": payload}
        )
        (block,) = result.content
        assert isinstance(block, TextContent)
        return block.text


async def test_create_with_a_bug_read_fix_test_call_break_and_roll_back(tmp_path: Path) -> None:
    """Issue 4: the whole authoring story through the real connector endpoint, in both eras."""
    place = make_place(tmp_path)
    open_to_all(tmp_path)
    with place.gateway() as live:
        wait_ready(live)
        for era in ("legacy", "auto"):
            async with client(live, "/mcp", era) as session:
                claude = Connector(session)
                await tell(claude, place.folder / "dynamic" / "money" / "server.py")
                await claude.call("delete_mcp_server", name="money")


async def tell(claude: Connector, file: Path) -> None:
    """Tell the story."""
    made = await claude.call("create_mcp_server", name="money", code=WITH_A_BUG)
    assert (made["ok"], made["version"]) == (False, 1)
    assert made["fault"] == {
        "error": "KeyError: 'eur'",
        "file": "server.py",
        "line": 4,
        "source": 'BASE = RATES["eur"]',
    }
    assert [credential["key"] for credential in made["credentials"]] == ["RATES_KEY"]

    fixed = WITH_A_BUG.replace('"eur"', '"EUR"')
    calls = [
        {"tool": "convert", "arguments": {"amount": 4, "currency": "USD"}},
        {"tool": "convert", "arguments": {"amount": 4, "currency": "XXX"}},
    ]
    tried = await claude.call("test_mcp_server", name="money", code=fixed, calls=calls)
    assert [(call["ok"], call["text"]) for call in tried["calls"][:1]] == [(True, "5.0")]
    assert (tried["ok"], "XXX" in tried["calls"][1]["text"]) == (False, True)

    mended = await claude.call(
        "update_mcp_server", name="money", old_text='RATES["eur"]', new_text='RATES["EUR"]'
    )
    assert (mended["ok"], mended["version"], mended["server"]["sandbox"]) == (True, 2, "strong")
    (tool,) = mended["tools"]
    assert (tool["name"], tool["description"]) == (
        "mcp__money__convert",
        "Convert an amount of euros.",
    )
    assert tool["input_schema"]["required"] == ["amount", "currency"]
    assert await claude.convert(4, "USD") == "5.0"

    broken = await claude.call(
        "update_mcp_server", name="money", old_text="import os\n", new_text="import nothing\n"
    )
    assert (broken["ok"], broken["fault"]["line"]) == (False, 1)
    assert broken["fault"]["error"] == "ModuleNotFoundError: No module named 'nothing'"
    assert await claude.convert(4, "USD") == "5.0"
    assert file.read_text("utf-8") == fixed

    wrong = await claude.call(
        "update_mcp_server", name="money", old_text="/ BASE", new_text="/ BASE / 0"
    )
    assert wrong["ok"] is True
    assert "division by zero" in await claude.convert(4, "USD")

    back = await claude.call("rollback_mcp_server", name="money")
    assert (back["ok"], back["version"]) == (True, 5)
    assert await claude.convert(4, "USD") == "5.0"
    assert file.read_text("utf-8") == fixed
    versions = await claude.versions()
    assert [(v["number"], v["origin"], v["result"], v["restored"]) for v in versions] == [
        (5, "rolled_back", "worked", 2),
        (4, "updated", "worked", None),
        (3, "updated", "rejected", None),
        (2, "updated", "worked", None),
        (1, "created", "rejected", None),
    ]
    diff = await claude.call("diff_server_versions", name="money", old=4, new=5)
    assert "-    return amount * RATES[currency] / BASE / 0\n" in diff["diff"]

    file.write_text(f"{fixed}raise RuntimeError('by hand')\n", "utf-8")

    async def judged() -> bool:
        newest = (await claude.versions())[0]
        return newest["number"] == 6 and newest["result"] != "untried"

    await until_seen(judged)
    by_hand = (await claude.versions())[0]
    assert (by_hand["origin"], by_hand["author"], by_hand["result"], by_hand["current"]) == (
        "edited",
        "folder",
        "rejected",
        True,
    )
    assert await claude.convert(4, "USD") == "5.0"
    again = await claude.call("rollback_mcp_server", name="money")
    assert (again["ok"], again["version"], file.read_text("utf-8")) == (True, 7, fixed)
