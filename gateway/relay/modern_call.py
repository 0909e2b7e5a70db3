"""One call of a modern caller, over as many requests as its answer takes.

A child of the handshake era asks something in the middle of a call; its modern caller is asked by a
result, and answers by the same call under another id. In between the call stays in flight on the
child and waits among the parked ones. Above: `modern_caller`.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import msgspec

from gateway.relay.exchange import Exchange
from gateway.relay.parked import Full, Parked, Purpose, purpose
from gateway.relay.refusal import INVALID_PARAMS, MISSING_CAPABILITY, Refusal, error_object
from gateway.relay.request import Posted
from gateway.relay.visit import Visit
from supervisor.children.asking import CAPABILITIES, ELICITATION, ChildRequest, is_declared
from supervisor.children.call import Answer, Call, Notice
from supervisor.children.child import Child
from supervisor.children.era import CAPABILITIES_KEY, LOG_LEVEL_KEY
from supervisor.children.input_requests import (
    InputRequest,
    input_required_result,
    read_required_urls,
    required_capabilities,
)
from supervisor.children.wire import decode, notification_line, parse_object
from supervisor.slots.levels import LEVELS, at_least
from supervisor.spec import Era

GATHER_S = 0.01
"""A child that asks several things at once has written them by then; one answer holds them all."""
_URL_MODE = msgspec.Raw(b'{"mode":"url"}')
GIVEN_UP = "its caller did not come back with what it was asked for"


class ModernCall:
    """The owner of one call, whom the child asks."""

    def __init__(self, visit: Visit, posted: Posted, parked: "Parked[ModernCall]") -> None:
        self.caller = visit.request.caller.id
        self._server = visit.server
        self._posted = posted
        self._parked = parked
        self._levels = visit.own_place.levels
        self._asked: dict[str, ChildRequest] = {}
        self._numbered = 0
        self._call: Call | None = None
        self._child: Child | None = None
        self._exchange: Exchange | None = None
        """What its caller waits on; None while it is parked."""
        self._gathering: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> bool:
        """True while its caller was asked and has not come back."""
        return self._exchange is None

    @property
    def expects_log(self) -> bool:
        """False on a modern child when its caller asked for no log: then there is none."""
        if self._child is None or self._child.handshake.era is Era.HANDSHAKE:
            return True
        return log_level(self._posted) is not None

    def purpose(self) -> Purpose:
        """Return what a request has to be for to go on with this call."""
        return purpose(self.caller, self._server, self._posted)

    def carry(self, exchange: Exchange) -> None:
        """Take the call that a request made, and what comes of it."""
        self._call, self._child = exchange.call, exchange.child
        if exchange.child.handshake.era is Era.HANDSHAKE:
            exchange.call.on_answer = self._answered
        self._wait_on(exchange)

    def _wait_on(self, exchange: Exchange) -> None:
        """Let the child log what the caller wants to read, until its request is answered."""
        self._exchange = exchange
        level = log_level(self._posted)
        if level is not None:
            self._levels.want(self, level)

    async def run(self, exchange: Exchange) -> None:
        """Answer the request that is carried now."""
        try:
            await exchange.run(cancel_on_disconnect=True)
        finally:
            self.leave()

    def leave(self) -> None:
        """Let its caller be: it has its answer, or is gone."""
        if log_level(self._posted) is not None:
            self._levels.drop(self)
        self._ended()

    def declares(self, request: ChildRequest) -> bool:
        """Return whether its caller declared that it can be asked this."""
        known = request.method in CAPABILITIES
        return known and is_declared(_capabilities(self._posted), request.method, request.params)

    def ask(self, request: ChildRequest, call: Call | None) -> None:
        """Have the caller asked by the next answer that it gets."""
        self._numbered += 1
        key = str(self._numbered)
        self._asked[key] = request
        request.on_withdrawn = partial(self._withdrawn, key)
        self._gather()

    def hear(self, notice: Notice, call: Call | None) -> None:
        """Pass on a log message, if its caller wants to read it."""
        level = log_level(self._posted)
        if level is None or self._exchange is None:
            return
        said = parse_object(notice.params).get("level")
        if said is not None and at_least(decode(said), level):
            self._exchange.push(notification_line(notice.method, notice.params).rstrip(b"\n"))

    async def go_on(
        self, visit: Visit, posted: Posted, responses: Mapping[str, msgspec.Raw]
    ) -> None:
        """Hand the child its answers, and answer the request that brought them."""
        assert self._call is not None
        assert self._child is not None
        self._posted = posted
        exchange = Exchange(visit.request, posted, self._child)
        exchange.carry(self._call)
        self._call.progress_token = (posted.fields.meta or {}).get("progressToken")
        self._wait_on(exchange)
        self._hand_over(responses)
        await self.run(exchange)

    def _ended(self) -> None:
        """Let the caller be asked no more: it has its answer, or is gone, or was asked already."""
        if self._gathering is not None:
            self._gathering.cancel()
        if self._exchange is not None:
            self._exchange = None
            self._refuse("The call in which this was asked has ended.")

    def give_up(self) -> None:
        """Cancel the call: its caller does not come back."""
        assert self._call is not None
        assert self._child is not None
        self._child.link.cancel(self._call, GIVEN_UP)
        self._refuse("The client did not come back with an answer.")

    def _answered(self, answer: Answer) -> Answer | None:
        """Return the answer in words that the caller's era has."""
        urls = {} if answer.error is None else read_required_urls(answer.error)
        if not urls:
            return answer
        needed = required_capabilities(next(iter(urls.values())))
        if not is_declared(_capabilities(self._posted), ELICITATION, _URL_MODE):
            data = {"requiredCapabilities": needed}
            text = "The server needs its user to open a page, which this client cannot show."
            return Answer(error=error_object(MISSING_CAPABILITY, text, data))
        return Answer(result=msgspec.Raw(input_required_result(urls)))

    def _hand_over(self, responses: Mapping[str, msgspec.Raw]) -> None:
        """Answer the child; what is not answered is asked again."""
        for key, response in responses.items():
            request = self._asked.pop(key, None)
            if request is not None:
                request.answer(response)
        if self._asked:
            self._gather()

    def _gather(self) -> None:
        if self._gathering is None and self._exchange is not None:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_later(GATHER_S, self._park)

    def _park(self) -> None:
        self._gathering = None
        exchange = self._exchange
        if exchange is None or not self._asked or exchange.call.future.done():
            return
        try:
            state = self._parked.put(self.purpose(), self)
        except Full:
            self._refuse("Too many calls wait for their callers; try again later.")
            return
        exchange.call.future.add_done_callback(_observed)
        self._exchange = None
        questions = {k: InputRequest(r.method, r.params) for k, r in self._asked.items()}
        exchange.answer_early(input_required_result(questions, state))

    def _refuse(self, why: str) -> None:
        for request in tuple(self._asked.values()):
            request.refuse(why)
        self._asked.clear()

    def _withdrawn(self, key: str, why: str) -> None:
        self._asked.pop(key, None)


def _capabilities(posted: Posted) -> dict[str, Any]:
    raw = (posted.fields.meta or {}).get(CAPABILITIES_KEY)
    declared: object = None if raw is None else decode(raw)
    return cast(dict[str, Any], declared) if isinstance(declared, dict) else {}


def log_level(posted: Posted) -> str | None:
    """Return from which level on the caller wants to read what is logged during its call."""
    raw = (posted.fields.meta or {}).get(LOG_LEVEL_KEY)
    level: object = None if raw is None else decode(raw)
    return str(level) if level in LEVELS else None


def read_responses(posted: Posted) -> dict[str, msgspec.Raw]:
    """Return what a caller answers.

    Raises:
        Refusal: it has another shape.
    """
    raw = parse_object(posted.envelope.params).get("inputResponses")
    if raw is not None and not bytes(raw).startswith(b"{"):
        raise Refusal(INVALID_PARAMS, "The member inputResponses must be an object.")
    return parse_object(raw)


def _observed(future: asyncio.Future[Answer]) -> None:
    """Look at an outcome that its caller may never fetch, so that it is not reported as lost."""
    if not future.cancelled():
        future.exception()
