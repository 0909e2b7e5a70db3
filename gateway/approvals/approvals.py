"""The definitions of tools that wait for their owner, as the dashboard and the command line ask.

No management tool leads here but one that only looks: a model must not approve what it was told.
"""

import difflib
import json
from dataclasses import dataclass
from enum import StrEnum

from supervisor.pinning.definitions import Definition
from supervisor.pinning.pins import DIGEST_CHARACTERS, QuarantinedTool
from supervisor.supervisor import Supervisor

MAX_SHOWN = 64 * 1024
"""Characters of one definition; the digest stands for all of it."""


class Decision(StrEnum):
    """What an owner says to a definition."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Approval:
    """A quarantined tool, in text for a person: every character that hides is shown as its code."""

    server: str
    tool: str
    digest: str
    """How people name the definition that waits."""
    reason: str
    since: float
    rejected: bool
    approved: str
    """The definition that was approved; '' for a tool that came without an edit."""
    listed: str
    """The one that waits."""

    def difference(self) -> str:
        """Return what changed, line by line."""
        lines = difflib.unified_diff(
            self.approved.splitlines(), self.listed.splitlines(), "approved", "listed", lineterm=""
        )
        return "\n".join(lines)


class Approvals:
    """Reads and decides what waits."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def all(self) -> tuple[Approval, ...]:
        """Return everything that waits or was rejected, by server and tool."""
        return tuple(found for name in self._supervisor.names for found in self.of(name))

    def of(self, server: str) -> tuple[Approval, ...]:
        """Return what waits or was rejected of one server, by tool. Raises UnknownServer."""
        return tuple(map(_approval, self._supervisor.slot(server).pins.quarantined))

    def decide(self, server: str, tool: str, digest: str, decision: Decision) -> None:
        """Serve a tool as it is listed now, or keep it out; `digest` says which was looked at.

        Raises:
            UnknownServer, NotPending: nothing was changed.
        """
        slot = self._supervisor.slot(server)
        if decision is Decision.APPROVE:
            slot.approve(tool, digest)
        else:
            slot.pins.reject(tool, digest)


def _approval(found: QuarantinedTool) -> Approval:
    return Approval(
        server=found.server,
        tool=found.tool,
        digest=found.listed.digest[:DIGEST_CHARACTERS],
        reason=found.reason,
        since=found.since,
        rejected=found.rejected,
        approved="" if found.approved is None else _shown(found.approved),
        listed=_shown(found.listed),
    )


def _shown(definition: Definition) -> str:
    """Return a definition as indented JSON with nothing in it that a reader does not see."""
    text = json.dumps(json.loads(definition.text), indent=2, ensure_ascii=False)
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}\n... {len(text) - MAX_SHOWN} more characters"
    return "\n".join(map(_plain, text.split("\n")))


def _plain(line: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in line
    )
