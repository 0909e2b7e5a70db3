"""One table says which state may follow which; nothing in the supervisor goes beside it."""

import pytest

from supervisor.events import ServerState
from supervisor.slots.states import TRANSITIONS, ImpossibleTransition, Standing


def standing(state: ServerState, told: list[tuple[ServerState, ServerState, str]]) -> Standing:
    """Return a standing that tells its changes to a list."""
    return Standing("clock", state, "", on_change=lambda *change: told.append(change))


def test_the_table_speaks_of_every_state() -> None:
    """Ours: a state that is not in it could be entered and never left."""
    assert set(TRANSITIONS) == set(ServerState)


def test_every_state_is_reached_from_a_new_slot() -> None:
    """Ours: a state that nothing leads to is a word without a meaning."""
    reached, edge = {ServerState.STOPPED}, {ServerState.STOPPED}
    while edge:
        edge = {after for before in edge for after in TRANSITIONS[before]} - reached
        reached |= edge
    assert reached == set(ServerState)


@pytest.mark.parametrize("state", sorted(set(ServerState) - {ServerState.FAILED}))
def test_every_state_may_fail(state: ServerState) -> None:
    """Ours: what goes wrong inside the supervisor ends there, whatever it was about."""
    assert ServerState.FAILED in TRANSITIONS[state]


async def test_a_transition_is_told_and_a_new_reason_is_not() -> None:
    """Ours: an event is a change of state."""
    told: list[tuple[ServerState, ServerState, str]] = []
    slot = standing(ServerState.STOPPED, told)
    slot.to(ServerState.STARTING, "being started")
    slot.to(ServerState.STARTING, "still being started")
    assert (slot.reason, told) == (
        "still being started",
        [(ServerState.STOPPED, ServerState.STARTING, "being started")],
    )


async def test_a_transition_beside_the_table_is_refused_and_changes_nothing() -> None:
    """Ours: it is a fault of the supervisor, and is told as one."""
    told: list[tuple[ServerState, ServerState, str]] = []
    slot = standing(ServerState.DISABLED, told)
    with pytest.raises(ImpossibleTransition) as refused:
        slot.to(ServerState.READY, "")
    assert (refused.value.before, refused.value.after) == (ServerState.DISABLED, ServerState.READY)
    assert (slot.state, told) == (ServerState.DISABLED, [])
