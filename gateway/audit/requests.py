"""Requests to the dashboard and to the command line's routes that change something leave entries.

All of them, by what HTTP says of them, so that no new page can forget it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from quart import Quart, Response, g, request

from gateway.audit.actions import ACTIONS
from gateway.audit.outcomes import outcome_of_status
from gateway.audit.trail import Trail
from gateway.domain.audit import Actor, AuditEntry, Outcome
from gateway.domain.clock import utc_ms
from supervisor.children.crash import arguments_shape

LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
Who = Callable[[], tuple[Actor, str]]


def audit_requests(app: Quart, trail: Trail, who: Who) -> None:
    """Have every request to an app that is no mere look leave an entry; `who` is asked before."""

    async def begin() -> None:
        g.audit_began, g.audit_who = time.perf_counter(), who()

    async def end(response: Response) -> Response:
        if request.method in LOOKING or request.endpoint is None or "audit_who" not in g:
            return response
        if g.get("audit_left"):
            return response
        outcome = outcome_of_status(response.status_code)
        actor, actor_id = cast("tuple[Actor, str]", g.audit_who)
        shape = await _shape() if outcome is Outcome.OK and actor is not Actor.STRANGER else ""
        if actor is Actor.STRANGER and outcome is Outcome.OK:
            # Whoever was let in is the owner; the kind of what he typed is nobody's business.
            actor, actor_id = Actor.OWNER, ""
        entry = AuditEntry(
            at=utc_ms(),
            actor=actor,
            actor_id=actor_id,
            action=ACTIONS.get(request.endpoint, request.endpoint),
            target=_target() if outcome is Outcome.OK else "",
            arguments=shape,
            asked_bytes=request.content_length or 0,
            answered_bytes=int(response.headers.get("Content-Length", 0)),
            outcome=outcome,
            took_us=round((time.perf_counter() - g.audit_began) * 1e6),
        )
        if actor is Actor.STRANGER:
            trail.stranger_did(entry)
        else:
            trail.note(lambda: entry)
        return response

    app.before_request(begin)
    app.after_request(end)


def leave_own_entry() -> tuple[Actor, str]:
    """Say that the handler of the current request notes it itself; return who asks."""
    g.audit_left = True
    return cast("tuple[Actor, str]", g.get("audit_who") or (Actor.OWNER, ""))


def _target() -> str:
    return " ".join(str(value) for value in (request.view_args or {}).values())


async def _shape() -> str:
    """Return names and kinds of a form's or an object's members, which the handler has read."""
    given = cast(
        "object",
        await request.get_json(silent=True) if request.is_json else await request.form,  # pyright: ignore[reportUnknownMemberType] - Quart leaves the dictionary's types open
    )
    members = dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else {}
    return arguments_shape(members, frozenset(members)) if members else "{}"
