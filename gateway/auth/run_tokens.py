"""Tokens of live runs: made when a run starts, gone when it ends, never stored."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.domain.clock import utc_ms
from gateway.domain.view import View

PREFIX = "crr_"
"""Tells a run's token from a machine token, for people and secret scanners."""


@dataclass(frozen=True, slots=True)
class RunGrant:
    """What the token of one run may reach."""

    run_id: str
    view: View
    expires_at: int
    """Integer milliseconds UTC."""


class RunTokens:
    """Live tokens by hash; one per run."""

    def __init__(self, now_ms: Callable[[], int] = utc_ms) -> None:
        self._now_ms = now_ms
        self.on_revoked: Callable[[str], None] | None = None
        """Told the id of each run that has lost its token."""
        self._grants: dict[str, RunGrant] = {}

    def issue(
        self,
        run_id: str,
        *,
        tools: Iterable[str],
        ttl_s: float,
        names: Iterable[tuple[str, str]] = (),
    ) -> str:
        """Return a fresh token for `run_id`, which loses any earlier one.

        `tools` are full names; ``mcp__server__*`` stands for every tool of a server. `names` are
        full and own names of those that `/mcp/all` shows under another one.
        """
        self.revoke(run_id)
        token = PREFIX + secrets.token_urlsafe(32)
        expires_at = self._now_ms() + int(ttl_s * 1000)
        view = View(frozenset(tools), tuple(sorted(names)))
        self._grants[token_hash(token)] = RunGrant(run_id, view, expires_at)
        return token

    def grant(self, hashed: str) -> RunGrant | None:
        """Return what the token with this hash may reach, or None."""
        grant = self._grants.get(hashed)
        return grant if grant and self._now_ms() < grant.expires_at else None

    def revoke(self, run_id: str) -> None:
        """Forget the run's token."""
        kept = {hashed: grant for hashed, grant in self._grants.items() if grant.run_id != run_id}
        lost = len(kept) < len(self._grants)
        self._grants = kept
        if lost and self.on_revoked is not None:
            self.on_revoked(run_id)


def token_hash(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal, under which it is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
