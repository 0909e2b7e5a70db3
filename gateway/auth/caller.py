"""Who is calling: what a bearer token was found to stand for."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.token import Scope
from gateway.domain.view import View

CALLER = "claude_runner.caller"
"""Key in the ASGI scope under which the rooms find who is calling."""


_CALLING = frozenset({Scope.RUN, Scope.ADMIN})


class CallerKind(StrEnum):
    """Where a bearer token comes from."""

    LOCAL = "local"
    """The command line of this machine's owner."""
    TOKEN = "token"  # noqa: S105 - a kind, no password
    """Made by the owner, kept as a hash in the store."""
    CLIENT = "client"
    """Made for an OAuth client that the owner approved; its id is the grant's."""
    RUN = "run"
    """Made for one run, gone with it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller."""

    kind: CallerKind
    id: str
    scopes: frozenset[Scope]
    view: View | None = None
    """What a run, or a token that names servers or tools, was given; None: everything."""
    resource: str | None = None
    """Address of the one endpoint that a client may enter; other callers may enter every one."""

    def may_use(self, server: str) -> bool:
        """True when the caller may open this server at all."""
        return self.view is None or self.view.may_use(server)

    def may_call(self, server: str, tool: str) -> bool:
        """True when the caller may call this tool."""
        if self.view is not None and not self.view.may_call(server, tool):
            return False
        return self.kind is CallerKind.RUN or not self.scopes.isdisjoint(_CALLING)
