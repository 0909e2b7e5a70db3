"""The page on which the owner compares and approves: same rules as every other form."""

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from gateway.approvals import Approval, Approvals, Decision
from supervisor.errors import NotPending
from supervisor.pinning.definitions import Definition
from supervisor.pinning.pins import QuarantinedTool
from tests.dashboard.parts import SNAPSHOT, Shown
from tests.dashboard.test_pages import CANARY, PUBLIC, sign_in

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
    answer = await client.post("/approvals", form=FORM, headers=OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/approvals")
    rejecting = {**FORM, "decision": "reject"}
    assert (await client.post("/approvals", form=rejecting, headers=OURS)).status_code == 303
    assert [each[3] for each in desk.decided] == [Decision.APPROVE, Decision.REJECT]
    assert desk.decided[0][:3] == ("email", "send", WAITS.digest)


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        (FORM, {}, 403),
        (FORM, {"Origin": "https://evil.example"}, 403),
        (FORM, {**OURS, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**FORM, "decision": "maybe"}, OURS, 400),
        ({**FORM, "digest": "00"}, OURS, 409),
    ],
)
async def test_a_form_from_elsewhere_or_about_something_else_decides_nothing(
    form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """Research F: the same rules as for every other form; a refused one changes nothing."""
    page, desk = shown()
    answer = await (await sign_in(page)).post("/approvals", form=form, headers=headers)
    assert (answer.status_code, desk.decided) == (status, [])


async def test_a_stranger_neither_sees_nor_decides() -> None:
    """Ours: a session first."""
    page, desk = shown()
    client = page.app.test_client()
    assert (await client.get("/approvals")).status_code == 401
    assert (await client.post("/approvals", form=FORM, headers=OURS)).status_code == 401
    assert (await client.post("/approvals", form=FORM, headers=PUBLIC)).status_code == 401
    assert desk.decided == []


async def test_the_overview_says_which_tools_wait() -> None:
    """Issue 5, 6: and says so."""
    page, _ = shown()
    listed = Definition("send", b"{}")
    held = QuarantinedTool("email", "send", listed, None, 0.0)
    page.snapshots = (replace(SNAPSHOT, quarantined_tools=(held,)),)
    text = await (await (await sign_in(page)).get("/")).get_data(as_text=True)
    assert "Quarantined tools: send." in text
    assert 'href="/approvals"' in text
