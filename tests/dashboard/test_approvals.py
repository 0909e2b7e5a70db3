"""The page on which the owner compares and approves: same rules as every other form."""

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from gateway.approvals import Approval, Approvals, Decision
from supervisor.errors import NotPending
from supervisor.pinning.definitions import Definition
from supervisor.pinning.pins import QuarantinedTool
from tests.dashboard.parts import SNAPSHOT, Shown, send, sign_in
from tests.dashboard.test_pages import CANARY

WAITS = Approval(
    server="email",
    tool="send",
    digest="0123456789ab",
    reason="its definition changed without an edit of its server",
    since=1_795_330_000.0,
    rejected=False,
    approved='{"description": "Sends mail"}',
    listed=CANARY,
)
FORM = {"server": "email", "tool": "send", "digest": WAITS.digest, "decision": "approve"}
OURS = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Desk:
    """Approvals of the test's own making."""

    waiting: tuple[Approval, ...] = (WAITS,)
    decided: list[tuple[str, str, str, Decision]] = field(default_factory=list)

    def all(self) -> tuple[Approval, ...]:
        return self.waiting

    def decide(self, server: str, tool: str, digest: str, decision: Decision) -> None:
        if digest != WAITS.digest:
            raise NotPending("It is another definition; look at it again.")
        self.decided.append((server, tool, digest, decision))


def shown() -> tuple[Shown, Desk]:
    """Return a dashboard and what it decides on."""
    desk = Desk()
    return Shown(approvals=cast("Approvals", desk)), desk


async def test_both_definitions_stand_side_by_side_and_harm_nobody() -> None:
    """Research F: definitions are hostile text."""
    page, _ = shown()
    answer = await (await sign_in(page)).get("/approvals")
    text = await answer.get_data(as_text=True)
    assert "Sends mail" in text
    assert CANARY not in text
    assert "&lt;script&gt;" in text


async def test_a_click_approves_the_definition_that_was_shown() -> None:
    """Issue 5, 6."""
    page, desk = shown()
    client = await sign_in(page)
    answer = await send(client, "/approvals", FORM, page="/approvals", **OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/approvals")
    rejecting = {**FORM, "decision": "reject"}
    answer = await send(client, "/approvals", rejecting, page="/approvals", **OURS)
    assert answer.status_code == 303
    assert [each[3] for each in desk.decided] == [Decision.APPROVE, Decision.REJECT]
    assert desk.decided[0][:3] == ("email", "send", WAITS.digest)


@pytest.mark.parametrize(
    ("change", "status"), [({"decision": "maybe"}, 400), ({"digest": "00"}, 409)]
)
async def test_a_form_about_something_else_decides_nothing(
    change: dict[str, str], status: int
) -> None:
    """Ours: a refused one changes nothing."""
    page, desk = shown()
    client = await sign_in(page)
    answer = await send(client, "/approvals", {**FORM, **change}, page="/approvals", **OURS)
    assert (answer.status_code, desk.decided) == (status, [])


async def test_a_stranger_neither_sees_nor_decides() -> None:
    """Ours: a session first."""
    page, desk = shown()
    client = page.app.test_client()
    assert (await client.get("/approvals")).status_code == 401
    answer = await send(client, "/approvals", FORM, page="/login?key=x", **OURS)
    assert (answer.status_code, desk.decided) == (401, [])


async def test_the_overview_says_which_tools_wait() -> None:
    """Issue 5, 6: and says so."""
    page, _ = shown()
    listed = Definition("send", b"{}")
    held = QuarantinedTool("email", "send", listed, None, 0.0)
    page.snapshots = (replace(SNAPSHOT, quarantined_tools=(held,)),)
    text = await (await (await sign_in(page)).get("/")).get_data(as_text=True)
    assert "Quarantined tools: send." in text
    assert 'href="/approvals"' in text
