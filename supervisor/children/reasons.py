"""On whose behalf a child asks or logs something: it does not say, so its calls in flight tell.

Pure functions over the calls of one child. Above: `link`.
"""

from collections.abc import Sequence

from supervisor.children.call import Call, Owner

ASK_NOTHING = frozenset(
    {
        "initialize",
        "server/discover",
        "ping",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/subscribe",
        "resources/unsubscribe",
        "completion/complete",
        "logging/setLevel",
    }
)
"""Calls that are not the reason when a child asks for something."""


def of_request(calls: Sequence[Call], resident: Owner | None) -> tuple[Owner | None, Call | None]:
    """Return for whom the child asks now, and in which of these calls if that is sure.

    `resident` is whose alone the child is, if anybody's.
    """
    return _sure(_reasons(calls), resident)


def of_log(calls: Sequence[Call], resident: Owner | None) -> tuple[Owner | None, Call | None]:
    """Return for whom the child logs now, and in which of these calls if that is sure."""
    logging = [c for c in _reasons(calls) if c.owner is None or c.owner.expects_log]
    return _sure(logging, resident)


def why_nobody(calls: Sequence[Call]) -> str:
    """Return why nobody can be asked what the child asks during these calls."""
    reasons = _reasons(calls)
    if not reasons:
        return "No call is in flight whose client could be asked; ask during a call."
    if len(reasons) == 1:
        return "The caller that is served now cannot be asked anything."
    return (
        f"{len(reasons)} calls are in flight, and any could be the reason; "
        'a server that asks several clients is run with "instances": "per_session".'
    )


def _sure(calls: Sequence[Call], resident: Owner | None) -> tuple[Owner | None, Call | None]:
    if resident is not None:
        return resident, calls[0] if len(calls) == 1 else None
    owners = {call.owner for call in calls}
    if len(owners) != 1:
        return None, None
    return owners.pop(), calls[0] if len(calls) == 1 else None


def _reasons(calls: Sequence[Call]) -> list[Call]:
    asking = [call for call in calls if call.method not in ASK_NOTHING]
    if len({call.owner and call.owner.caller for call in asking}) == 1:
        # Among one token's own calls, those that stand still are taken not to be the reason:
        # a caller that never answers would leave none of its other calls sure.
        moving = [call for call in asking if call.owner is not None and not call.owner.waiting]
        return moving or asking
    return asking
