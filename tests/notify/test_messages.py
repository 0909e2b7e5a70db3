"""Messages of servers to the owner: who may send them, how many, and what becomes of them."""

import json
from typing import Any

import anyio
import msgspec
import pytest

from gateway.domain.notice import ChannelKind
from gateway.notify.messages import HOUR_MS, MOST, Messages
from supervisor.children.asking import Requests
from supervisor.events import NotifyAsked
from tests.notify.parts import Desk


class Child:
    """A server that asks, and reads its answers."""

    def __init__(self, desk: Desk) -> None:
        self.messages = Messages(desk.store.notices, desk.store.channels, lambda: desk.clock.now)
        self.answers: list[dict[str, Any]] = []
        self._requests = Requests(lambda line: self.answers.append(json.loads(line)))
        self._asked = 0

    def ask(self, said: object, server: str = "notify") -> None:
        """Ask as a child does."""
        self._asked += 1
        number = msgspec.Raw(str(self._asked).encode())
        params = msgspec.Raw(json.dumps(said).encode())
        request = self._requests.open(number, "claude-runner/notify", params)
        assert request is not None
        self.messages.hear(NotifyAsked(server, request))

    async def answered(self, count: int) -> list[dict[str, Any]]:
        """Return the answers once there are so many."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.messages.run)
            with anyio.fail_after(30):
                while len(self.answers) < count:
                    await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        return self.answers


def message(title: str = "Disk", text: str = "Full.") -> dict[str, str]:
    """Return what a server asks to send."""
    return {"title": title, "text": text}


async def test_a_message_is_stored_before_it_is_answered(desk: Desk) -> None:
    """Ours: at least once, as every notice; the answer names the channels that take it."""
    await desk.channel("https://hooks.example.com/x", ChannelKind.SLACK)
    child = Child(desk)
    child.ask(message())
    ((answer),) = await child.answered(1)
    (kept,) = await desk.store.notices.newest(10)
    assert answer["result"] == {"notice_id": kept.notice.id, "channels": ["here"]}
    assert (kept.notice.subject, kept.notice.title, kept.notice.text) == (
        "notify",
        "notify: Disk",
        "Full.",
    )


@pytest.mark.parametrize(
    "wrong", [{}, {"title": "", "text": "x"}, {"title": "x", "text": "x" * 2001}, [], {"title": 1}]
)
async def test_what_is_no_message_is_refused(desk: Desk, wrong: object) -> None:
    """Ours: the same bounds as the outbox has."""
    child = Child(desk)
    child.ask(wrong)
    (answer,) = child.answers
    assert answer["error"]["message"].startswith("The message cannot be sent: ")
    assert await desk.store.notices.newest(10) == ()


async def test_a_server_sends_so_many_an_hour_and_no_more(desk: Desk) -> None:
    """Issue 9: a rate limit, of each server by itself."""
    await desk.channel("https://hooks.example.com/x", ChannelKind.SLACK)
    child = Child(desk)
    for _ in range(MOST + 1):
        child.ask(message())
    assert "has sent 30 messages within an hour" in child.answers[0]["error"]["message"]
    child.ask(message(), server="other")
    desk.clock.now += HOUR_MS
    child.ask(message())
    answers = await child.answered(MOST + 3)
    assert sum("result" in each for each in answers) == MOST + 2
