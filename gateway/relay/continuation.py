"""A handshake caller's call to a modern child that wants to know something first.

The child ends the request with what it wants to know; the session's client is asked that, as its
era does it, and the child gets the same call again with the answers. To send it again is no retry:
the child has said that it did not carry the call out, and that it is to be asked like this.
Source: MCP 2026-07-28, input required. Above: `handshake_caller`.
"""

import asyncio
from functools import partial

import msgspec

from gateway.relay.exchange import Exchange
from gateway.relay.questions import NobodyListens, Question
from gateway.relay.refusal import MISSING_CAPABILITY, SERVER_ERROR, error_object
from gateway.relay.sessions import Session
from supervisor.children.asking import ASK_TIMEOUT_S, CAPABILITIES, is_declared
from supervisor.children.call import Answer
from supervisor.children.input_requests import (
    InputRequest,
    InputRequired,
    handshake_params,
    read_input_required,
    required_capabilities,
    with_responses,
)

MAX_ROUNDS = 10
"""As many as the official clients go through."""
AGAIN_AFTER_S = 0.1
"""A child that asks nothing, and only wants to be called again, is given this long."""


class Continuation:
    """Goes on with one call until the child has answered it."""

    def __init__(self, session: Session, exchange: Exchange) -> None:
        """From now on what the child answers to the call comes here first."""
        self._session = session
        self._exchange = exchange
        self._rounds = 0
        self._questions: dict[str, Question] = {}
        self._timer: asyncio.TimerHandle | None = None
        exchange.call.on_answer = self._answered
        exchange.call.future.add_done_callback(self._ended)

    def _answered(self, answer: Answer) -> Answer | None:
        """Return the answer for the caller; None when the call goes on."""
        if self._questions or self._timer is not None:
            # It answers the same request again while its caller is being asked.
            return None
        needed = None if answer.result is None else read_input_required(answer.result)
        if needed is None:
            return answer
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            return _error(SERVER_ERROR, f"The server asked for more input {MAX_ROUNDS} times.")
        return self._refusal(needed) or self._ask(needed)

    def _refusal(self, needed: InputRequired) -> Answer | None:
        for request in needed.requests.values():
            if request.method not in CAPABILITIES:
                return _error(SERVER_ERROR, f"The server asks for {request.method!r}, not of MCP.")
            params = None if request.params is None else msgspec.Raw(bytes(request.params))
            if not is_declared(self._session.capabilities, request.method, params):
                sentence = f"The server needs {request.method}, which this client did not declare."
                data = {"requiredCapabilities": required_capabilities(request)}
                return _error(MISSING_CAPABILITY, sentence, data)
        return None

    def _ask(self, needed: InputRequired) -> Answer | None:
        loop = asyncio.get_running_loop()
        if not needed.requests:
            self._timer = loop.call_later(AGAIN_AFTER_S, self._go_on, needed)
            return None
        try:
            for key, request in needed.requests.items():
                self._questions[key] = self._question(request)
        except NobodyListens:
            self._withdraw("another of its questions reached nobody")
            return _error(SERVER_ERROR, "The client has no open stream on which it can be asked.")
        for question in self._questions.values():
            question.future.add_done_callback(partial(self._collect, needed))
        self._timer = loop.call_later(ASK_TIMEOUT_S, self._give_up)
        return None

    def _question(self, request: InputRequest) -> Question:
        exchange = self._exchange
        question = self._session.questions.ask(
            request.method, handshake_params(request), self._deliver
        )
        exchange.hold()
        question.future.add_done_callback(lambda _: exchange.release())
        return question

    def _deliver(self, message: bytes) -> bool:
        return self._exchange.push(message) or self._session.post(message)

    def _collect(self, needed: InputRequired, answered: asyncio.Future[Answer]) -> None:
        """Go on once every question has its answer; an error ends the call."""
        if self._exchange.call.future.done() or not self._questions:
            return
        if answered.cancelled():
            self._settle(_error(SERVER_ERROR, "The client's session has ended."))
        elif (error := answered.result().error) is not None:
            self._settle(Answer(error=error))
        elif all(question.future.done() for question in self._questions.values()):
            self._go_on(needed)

    def _go_on(self, needed: InputRequired) -> None:
        self._stop_timer()
        answers = {key: one.future.result().result for key, one in self._questions.items()}
        self._questions.clear()
        responses = {key: result for key, result in answers.items() if result is not None}
        call = self._exchange.call
        try:
            self._exchange.child.link.go_on(
                call, with_responses(call.params, responses, needed.state)
            )
        except (BrokenPipeError, BlockingIOError):
            self._settle(_error(SERVER_ERROR, "The server takes no input any more."))

    def _give_up(self) -> None:
        self._settle(_error(SERVER_ERROR, f"The client did not answer within {ASK_TIMEOUT_S:g} s."))

    def _settle(self, answer: Answer) -> None:
        self._exchange.child.link.settle(self._exchange.call, answer)

    def _ended(self, _: asyncio.Future[Answer]) -> None:
        self._stop_timer()
        self._withdraw("the call has ended")

    def _withdraw(self, why: str) -> None:
        questions = tuple(self._questions.values())
        self._questions.clear()
        for question in questions:
            self._session.questions.withdraw(question, why)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _error(code: int, message: str, data: object = None) -> Answer:
    return Answer(error=error_object(code, message, data))
