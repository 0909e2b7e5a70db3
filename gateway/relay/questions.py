"""What one session's client was asked and has not answered yet.

Ids are the session's own, counted from 1. Above: `sessions`.
"""

import asyncio
from collections.abc import Callable

import msgspec

from supervisor.children.call import Answer
from supervisor.children.wire import (
    Envelope,
    encode,
    notification_line,
    own_number,
    parse_fields,
    request_line,
    with_member,
    with_own_token,
)

MAX_QUESTIONS = 64
"""A client that answers none of these is asked nothing more."""

Deliver = Callable[[bytes], bool]
"""Puts a message on a stream; False when nobody reads it."""


class NobodyListens(Exception):
    """The client has no open stream that keeps up, or answers nothing."""


class Question:
    """One request to a client. Await `future` for its answer; cancel it when none is wanted."""

    def __init__(self, number: int, token: msgspec.Raw | None, deliver: Deliver) -> None:
        self.number = number
        self.token = token
        """The asker's progress token; the client was given our number instead."""
        self.deliver = deliver
        self.future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.on_progress: Callable[[bytes], None] | None = None


class Questions:
    """The open questions of one session, by number."""

    def __init__(self) -> None:
        self._open: dict[int, Question] = {}
        self._last = 0

    def ask(self, method: str, params: bytes | msgspec.Raw | None, deliver: Deliver) -> Question:
        """Send a request to the client.

        Raises:
            NobodyListens: it was not sent.
        """
        if len(self._open) >= MAX_QUESTIONS:
            raise NobodyListens
        self._last += 1
        token, sent = with_own_token(params, self._last)
        if not deliver(request_line(self._last, method, sent).rstrip(b"\n")):
            raise NobodyListens
        question = self._open[self._last] = Question(self._last, token, deliver)
        question.future.add_done_callback(lambda _: self._open.pop(question.number, None))
        return question

    def answered(self, envelope: Envelope) -> None:
        """Take the client's response; one that answers nothing is dropped."""
        question = self._open.get(own_number(envelope.id))
        answer = Answer(envelope.result, envelope.error)
        if question is None or answer.result is answer.error or question.future.done():
            return
        question.future.set_result(answer)

    def progressed(self, params: msgspec.Raw | None) -> None:
        """Take the client's progress on what it was asked; the asker gets it with its own token."""
        question = self._open.get(own_number(parse_fields(params).progress_token))
        if question is not None and question.token is not None and question.on_progress:
            question.on_progress(with_member(params, "progressToken", question.token))

    def withdraw(self, question: Question, why: str) -> None:
        """Tell the client that no answer is wanted any more."""
        if not question.future.done():
            body = encode({"requestId": question.number, "reason": why})
            question.deliver(notification_line("notifications/cancelled", body).rstrip(b"\n"))
            question.future.cancel()

    def end(self) -> None:
        """Cancel all questions: there will be no answers."""
        for question in tuple(self._open.values()):
            question.future.cancel()
