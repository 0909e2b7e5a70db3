"""Random calls of many callers, in flight at the same time, and what each of them must hear.

A plan comes from a seed alone. What a caller heard is judged call by call, and the whole by what
the children noted when they heard a call.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import anyio
import httpx2

from supervisor.spec import Era
from tests.relay.conftest import Relay, modern, request

SERVER = "raw"
URL = f"/servers/{SERVER}/mcp"
CALLERS = 10
ROUNDS = 2
AT_ONCE = 4
"""Calls that one caller has in flight: each round sends so many and waits for all of them."""
IDS = (1, "1", 0, "0", -1, "-1", 10**30, "", 'ü\u2028\\"', "x" * 300)
TOKENS = (None, None, 1, "1", 7, "t", 10**30)
MAX_STEPS = 4
MAX_BEATS = 5
"""Until a caller cancels or leaves: some calls are answered by then."""


class End(Enum):
    """What a caller does with its call."""

    WAITS = auto()
    CANCELS = auto()
    LEAVES = auto()


@dataclass(slots=True)
class Planned:
    """One call, and what came back."""

    word: str
    id: object
    token: object
    steps: int
    end: End
    after_beats: int
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def params(self) -> dict[str, Any]:
        """The params of the call."""
        arguments = {"word": self.word, "steps": self.steps, "each_s": 0.03}
        params: dict[str, Any] = {"name": "tell", "arguments": arguments}
        return params if self.token is None else {**params, "_meta": {"progressToken": self.token}}

    @property
    def answered(self) -> bool:
        """Whether the caller got its own result; asked after `judge`."""
        return bool(self.messages) and "result" in self.messages[-1]

    def judge(self) -> None:
        """Hold what came against what may come: progress with its own token, then one answer."""
        if self.end is End.LEAVES:
            return
        answers = [message for message in self.messages if "method" not in message]
        if self.end is not End.CANCELS:
            assert len(answers) == 1, f"{self} has {len(answers)} answers"
        if answers:
            assert [self.messages[-1]] == answers
            self._judge_answer(answers[0])
        self._judge_progress(self.messages[: len(self.messages) - len(answers)])

    def _judge_answer(self, message: dict[str, Any]) -> None:
        assert (type(message["id"]), message["id"]) == (type(self.id), self.id)
        if "error" in message:
            assert message["error"]["code"] == -32000, message
        else:
            assert message["result"]["content"] == [{"type": "text", "text": self.word}]

    def _judge_progress(self, progress: list[dict[str, Any]]) -> None:
        assert {p["method"] for p in progress} <= {"notifications/progress"}
        tokens = [p["params"]["progressToken"] for p in progress]
        assert all((type(t), t) == (type(self.token), self.token) for t in tokens)
        assert [p["params"]["progress"] for p in progress] == list(range(1, len(progress) + 1))
        assert len(progress) <= (0 if self.token is None else self.steps)


class Beats:
    """The time of a plan: one beat for each call that ends."""

    def __init__(self) -> None:
        self._count = 0
        self._next = anyio.Event()

    def beat(self) -> None:
        """Wake who waits for it."""
        self._count += 1
        self._next.set()
        self._next = anyio.Event()

    async def rest(self, beats: int) -> None:
        """Return after this many beats."""
        until = self._count + beats
        while self._count < until:
            await self._next.wait()


@dataclass(slots=True)
class Caller:
    """Calls in one era; in the handshake era in a session of its own."""

    era: Era
    rounds: list[list[Planned]]

    async def call_all(self, relay: Relay, beats: Beats) -> None:
        """Send round after round."""
        session = {} if self.era is Era.MODERN else await relay.open_session(SERVER)
        for calls in self.rounds:
            async with anyio.create_task_group() as group:
                for call in calls:
                    group.start_soon(self._carry_out, relay, beats, session, call)

    async def _carry_out(
        self, relay: Relay, beats: Beats, session: dict[str, str], call: Planned
    ) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._end, relay, beats, session, call, group.cancel_scope)
            answer = await self._send(relay, session, call)
            call.messages = list(messages_of(answer))
            group.cancel_scope.cancel()
        beats.beat()

    async def _end(
        self,
        relay: Relay,
        beats: Beats,
        session: dict[str, str],
        call: Planned,
        sent: anyio.CancelScope,
    ) -> None:
        await beats.rest(call.after_beats)
        match call.end:
            case End.WAITS:
                return
            case End.LEAVES:
                sent.cancel()
            case End.CANCELS:
                params = {"requestId": call.id, "reason": "tired"}
                body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
                assert (await relay.post(SERVER, body, session)).status_code == 202

    async def _send(self, relay: Relay, session: dict[str, str], call: Planned) -> httpx2.Response:
        if self.era is Era.MODERN:
            body, headers = modern("tools/call", call.params, call.id)
        else:
            body, headers = request("tools/call", call.params, call.id), session
        return await relay.post(SERVER, body, headers)


def messages_of(answer: httpx2.Response) -> Iterator[dict[str, Any]]:
    """Yield the JSON-RPC messages of an answer, whichever form it has."""
    if answer.headers.get("content-type") == "text/event-stream":
        for line in answer.text.split("\n"):
            if line.startswith("data: "):
                yield json.loads(line[6:])
    elif answer.content:
        yield answer.json()


def plan(seed: int) -> list[Caller]:
    """Return callers of both eras with their calls."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return [_plan_caller(chance, f"{seed}-{number}") for number in range(CALLERS)]


def _plan_caller(chance: random.Random, name: str) -> Caller:
    era = chance.choice(tuple(Era))
    rounds = [
        [
            _plan_call(chance, era, f"{name}-{nth}-{place}", request_id)
            for place, request_id in enumerate(chance.sample(IDS, AT_ONCE))
        ]
        for nth in range(ROUNDS)
    ]
    return Caller(era, rounds)


def _plan_call(chance: random.Random, era: Era, word: str, request_id: object) -> Planned:
    # A modern caller cancels by leaving; a handshake caller that leaves has not cancelled.
    impatient = End.LEAVES if era is Era.MODERN or chance.random() < 0.3 else End.CANCELS
    return Planned(
        word=word,
        id=request_id,
        token=chance.choice(TOKENS),
        steps=chance.randint(0, MAX_STEPS),
        end=impatient if chance.random() < 0.4 else End.WAITS,
        after_beats=chance.randrange(MAX_BEATS),
    )
