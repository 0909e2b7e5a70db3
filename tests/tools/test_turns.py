"""Whose turn it is to change a server."""

import gc
from weakref import WeakSet

import anyio

from gateway.servers.known import Known
from tests.waiting import PATIENCE_S


async def test_a_turn_is_one_for_all_who_wait_and_gone_afterwards() -> None:
    """Ours: callers choose the names, also of servers that never come to be."""
    known, order, turns = Known(), list[str](), WeakSet[anyio.Lock]()
    first_has_it, go_on = anyio.Event(), anyio.Event()

    async def change(who: str) -> None:
        turns.add(known.turn("adder"))
        async with known.turn("adder"):
            order.append(who)
            first_has_it.set()
            await go_on.wait()
            order.append(who)

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(change, "first")
            await first_has_it.wait()
            group.start_soon(change, "second")
            await anyio.wait_all_tasks_blocked()
            assert len(turns) == 1
            go_on.set()
    assert order == ["first", "first", "second", "second"]
    for number in range(100):
        turns.add(known.turn(f"never-made-{number}"))
    gc.collect()
    assert list(turns) == []
