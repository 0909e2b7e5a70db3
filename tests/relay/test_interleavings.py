"""Many callers of both eras, children that die and code that changes: to each its own, once."""

import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from itertools import count

import anyio
import pytest

from supervisor.spec import ServerSpec
from tests.demonstrations import Counts, Demonstrations
from tests.relay.conftest import Relay, request
from tests.relay.interleaving import SERVER, Beats, End, Planned, plan
from tests.supervisor.conftest import raw_spec

pytestmark = pytest.mark.timeout(1800)

TROUBLES = ("kill", "reload", "die", "ask")
MAX_PAUSE = 20
"""Beats between two troubles: a few of them happen to each plan."""
GENERATIONS = count(2)


async def make_trouble(relay: Relay, beats: Beats, spec: ServerSpec, chance: random.Random) -> None:
    """Disturb the child until cancelled."""
    session = await relay.open_session(SERVER)
    while True:
        await beats.rest(chance.randint(1, MAX_PAUSE))
        while not relay.stage.supervisor.snapshot(SERVER).in_flight:
            await beats.rest(1)
        trouble = chance.choice(TROUBLES)
        pid = relay.stage.supervisor.snapshot(SERVER).pid
        if trouble == "kill" and pid is not None:
            os.kill(pid, signal.SIGKILL)
        elif trouble == "reload":
            behaviours = [*spec.digest.split(), f"version={next(GENERATIONS)}"]
            await relay.stage.supervisor.apply(raw_spec(SERVER, *behaviours), enabled=True)
        elif trouble in {"die", "ask"}:
            body = request("tools/call", {"name": trouble, "arguments": {}})
            await relay.post(SERVER, body, session)


async def carry_out(relay: Relay, spec: ServerSpec, seed: int, *, troubled: bool) -> list[Planned]:
    """Carry out the plan of a seed and return its calls, judged one by one."""
    callers, beats = plan(seed), Beats()
    async with anyio.create_task_group() as trouble:
        if troubled:
            chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
            trouble.start_soon(make_trouble, relay, beats, spec, chance)
        async with anyio.create_task_group() as group:
            for caller in callers:
                group.start_soon(caller.call_all, relay, beats)
        trouble.cancel_scope.cancel()
    calls = [call for caller in callers for calls in caller.rounds for call in calls]
    for call in calls:
        call.judge()
    return calls


def heard(relay: Relay) -> Counter[str]:
    """Return how often the children of all generations heard each word."""
    noted = relay.stage.home / "servers" / SERVER / "data" / "heard"
    return Counter(noted.read_text("utf-8").split())


def check_words(calls: Sequence[Planned], words: Counter[str]) -> None:
    """Hold what the children heard against what the callers were told."""
    times = {call.word: words[call.word] for call in calls}
    assert set(times.values()) <= {0, 1}, "a call was repeated"
    assert {word for word, number in times.items() if not number} <= {
        call.word for call in calls if not call.answered
    }


@pytest.mark.parametrize("behaviour", ["handshake", "modern"])
@pytest.mark.parametrize("troubled", [False, True], ids=["undisturbed", "disturbed"])
async def test_every_caller_gets_its_own_answer_exactly_once(
    relay: Relay, counts: Counts, demonstrations: Demonstrations, behaviour: str, troubled: bool
) -> None:
    """Issue: ids of every type, equal tokens, cancels, disconnects, deaths and reloads at once."""
    spec = raw_spec(SERVER, behaviour)
    await relay.stage.start(spec)
    seeds = counts(3 if troubled else 1, 200)
    made = failed = 0
    for seed in range(seeds):
        try:
            calls = await carry_out(relay, spec, seed, troubled=troubled)
            await relay.stage.until(lambda: relay.stage.supervisor.snapshot(SERVER).in_flight == 0)
            check_words(calls, heard(relay))
            waited = [call for call in calls if call.end is End.WAITS]
            lost = [call for call in waited if not call.answered]
            assert troubled or not lost
        except BaseException as error:
            error.add_note(f"with seed {seed}")
            raise
        made, failed = made + len(calls), failed + len(lost)
    demonstrations.record(
        f"Random interleavings of calls, {behaviour} child, {'' if troubled else 'un'}disturbed",
        made,
        f"{seeds} plans, each its own answer once, {failed} failed with their child",
    )
