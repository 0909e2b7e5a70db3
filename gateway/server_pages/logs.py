"""``/server/<name>/logs``: what a server writes to standard error, as it writes it."""

import json
from collections.abc import AsyncIterator
from typing import cast

import anyio
from anyio import to_thread
from quart import Blueprint, Response, make_response, request, url_for
from werkzeug.exceptions import BadRequest

from gateway.dashboard.streams import Place, Streams
from gateway.server_pages.desk import Desk
from gateway.servers.logs import newest_lines
from supervisor.children.log_follower import LogPlace, read_end, read_log_place, read_on
from supervisor.children.log_reader import LogLine, Wanted
from supervisor.errors import UnknownServer

LOOK_EVERY_S = 0.5
"""For new lines, while a tab is open."""
ALIVE_EVERY = 10
"""Looks without new lines, after which a tab is told that the stream goes on."""
SHOWN_LINES = 300
MAX_FOUND = 1000
MAX_SOUGHT = 200


class LogPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk, streams: Streams) -> None:
        self._desk = desk
        self._streams = streams

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/server/<name>/logs")(self.show_log)
        pages.get("/server/<name>/logs/events")(self.follow)

    async def show_log(self, name: str) -> str:
        """The newest lines, or the newest that hold a text."""
        report = await self._desk.report(name)
        path = self._desk.supervisor.log_path(name)
        sought = request.args.get("contains", "")[:MAX_SOUGHT]
        if sought:
            found = await newest_lines(path, Wanted(MAX_FOUND, contains=sought))
            lines, cut, events = found.lines, found.cut, None
        else:
            end = await to_thread.run_sync(read_end, path)
            lines, cut = end.lines[-SHOWN_LINES:], end.skipped or len(end.lines) > SHOWN_LINES
            events = url_for("servers.follow", name=name, after=str(end.place))
        return await self._desk.page(
            "server_logs.html",
            report,
            lines=[_shown(line) for line in lines],
            cut=cut,
            events=events,
            sought=sought,
        )

    async def follow(self, name: str) -> Response:
        """What comes after a place, as server-sent events."""
        self._desk.browser.require_own_page()
        self._desk.spec(name)
        asked = request.headers.get("Last-Event-ID") or request.args.get("after", str(LogPlace()))
        try:
            place = read_log_place(asked)
        except ValueError as error:
            raise BadRequest(f"{error}.") from error
        seat = self._streams.take(self._desk.browser.session_id())
        response = cast("Response", await make_response(self._written(name, place, seat)))
        response.content_type = "text/event-stream; charset=utf-8"
        response.timeout = None  # Quart would end the stream after a minute
        return response

    async def _written(self, name: str, place: LogPlace, seat: Place) -> AsyncIterator[str]:
        yield ": begins\n\n"
        silent = 0
        while self._desk.browser.is_open(seat.session_id):
            try:
                path = self._desk.supervisor.log_path(name)
            except UnknownServer:
                return
            found = await to_thread.run_sync(read_on, path, place)
            place = found.place
            if found.lines:
                shown = [_shown(line) for line in found.lines]
                yield _event(place, {"lines": shown, "skipped": found.skipped})
            silent = 0 if found.lines else silent + 1
            if silent and silent % ALIVE_EVERY == 0:
                yield ": alive\n\n"
            await anyio.sleep(LOOK_EVERY_S)


def _shown(line: LogLine) -> dict[str, str]:
    at = "" if line.at is None else f"{line.at:%Y-%m-%d %H:%M:%S}"
    return {"at": at, "text": line.text}


def _event(place: LogPlace, body: object) -> str:
    # JSON in ASCII has no line ends of its own.
    return f"id: {place}\nevent: lines\ndata: {json.dumps(body)}\n\n"
