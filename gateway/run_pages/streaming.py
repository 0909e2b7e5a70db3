"""Streams of a run over HTTP."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import cast

from quart import Response, make_response
from werkzeug.exceptions import BadRequest, NotFound, ServiceUnavailable

from gateway.domain.live import Place, read_place
from gateway.jobs.errors import RunNotFound, TooManyReaders
from gateway.jobs.feeds import Events, Feeds

Shown = Callable[[Events], Awaitable[str]]


def asked_place(number: str) -> Place:
    """Return the place that a reader names. Raises BadRequest."""
    try:
        return read_place(number)
    except ValueError as error:
        raise BadRequest(f"{error}.") from error


async def stream_run(
    feeds: Feeds,
    run_id: str,
    place: Place,
    *,
    shown: Shown,
    content_type: str,
    may_read: Callable[[], bool] = lambda: True,
) -> Response:
    """Return a response that goes on until the run has ended, or its reader may read no longer.

    `shown` writes events, or that there are none. Raises NotFound, ServiceUnavailable.
    """
    followed = feeds.follow(run_id, place)
    try:
        first = await anext(followed)
    except RunNotFound as error:
        raise NotFound(str(error)) from error
    except TooManyReaders as error:
        raise ServiceUnavailable(str(error)) from error
    response = cast("Response", await make_response(_written(first, followed, shown, may_read)))
    response.content_type = content_type
    response.timeout = None  # Quart would end the stream after a minute
    return response


async def _written(
    first: Events,
    followed: AsyncGenerator[Events],
    shown: Shown,
    may_read: Callable[[], bool],
) -> AsyncIterator[str]:
    async with aclosing(followed):
        try:
            yield await shown(first)
            async for events in followed:
                if not may_read():
                    return
                yield await shown(events)
        except RunNotFound:
            return  # deleted with its job
