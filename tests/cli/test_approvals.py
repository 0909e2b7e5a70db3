"""`claude-runner approvals`: the owner's way without a browser."""

import json
import re

import pytest

from tests.cli.gateways import Place
from tests.tools.test_approvals import CODE, NAME, POISON
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


def test_the_owner_looks_and_approves_on_the_command_line(live_place: Place) -> None:
    """Issue 5, 6: approved by CLI; a wrong digest decides nothing."""
    assert live_place.run("approvals", "list").stdout == "No tool waits for approval.\n"
    live_place.json(
        "call", "create_mcp_server", "-", given=json.dumps({"name": NAME, "code": CODE})
    )
    poison = {"tool": f"{NAME}.poison", "payload": {"now": {"description": POISON}}}
    live_place.run("call", "invoke_internal_mcp_tool", json.dumps(poison))
    digest = waiting(live_place)
    assert "WARNING: quarantined tools: now" in live_place.run("status").stdout
    shown = live_place.run("approvals", "show", NAME, "now").stdout
    assert '-  "description": "Does now.",' in shown
    assert "password first.\\u200b" in shown
    wrong = live_place.run("approvals", "approve", NAME, "now", "0" * 12)
    assert (wrong.returncode, "look at it again" in wrong.stderr) == (1, True)
    assert live_place.run("approvals", "reject", NAME, "now", digest).returncode == 0
    assert "rejected" in live_place.run("approvals", "list").stdout
    done = live_place.run("approvals", "approve", NAME, "now", digest)
    assert done.stdout == f"Tool 'now' of server '{NAME}' is served again.\n", done.stderr
    called = {"tool": f"{NAME}.now", "payload": {}}
    assert live_place.run("call", "invoke_internal_mcp_tool", json.dumps(called)).returncode == 0
    assert live_place.run("approvals", "show", NAME, "now").returncode == 1


def waiting(place: Place) -> str:
    """Return the digest of the only definition that waits, once it is noticed."""
    found = list[str]()

    def look() -> bool:
        listed = place.run("approvals", "list").stdout
        found.extend(re.findall(rf"{NAME}\s+now\s+(\w{{12}})", listed))
        return bool(found)

    wait_until(look)
    return found[0]
