"""``/runs.jsonl`` and ``/runs.csv`` for the owner, and what the command line asks."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from quart import Blueprint, Response, make_response, request
from werkzeug.exceptions import BadRequest

from gateway.audit.views import BadWish
from gateway.dashboard.browser import Browser
from gateway.domain.run import Run, RunWish
from gateway.run_export.forms import csv_heading, csv_lines, json_lines
from gateway.run_export.rows import NAMES, cursor_of, read_run_wish, row_of
from gateway.store import Store


class RunExport:
    """The handlers, with what they need."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    def pages(self, browser: Browser) -> Blueprint:
        """Return the owner's downloads; they want a session."""
        pages = Blueprint("run_export", __name__)

        async def require_session() -> None:
            browser.require_session()

        pages.before_request(require_session)
        pages.get("/runs.jsonl")(self.as_json)
        pages.get("/runs.csv")(self.as_csv)
        return pages

    def local_routes(self) -> Blueprint:
        """Return the command line's route."""
        routes = Blueprint("local_run_export", __name__)
        routes.get("/local/runs/export")(self.one_page)
        return routes

    async def as_json(self) -> Response:
        """All runs that are asked for, oldest first, one JSON object a line."""
        return await _download(self._json(self._wish()), "application/jsonl", "runs.jsonl")

    async def as_csv(self) -> Response:
        """The same as CSV."""
        return await _download(self._csv(self._wish()), "text/csv", "runs.csv")

    async def one_page(self) -> dict[str, Any]:
        """Some of the runs that are asked for, and where to go on; None: these were the last."""
        found = await self._store.run_history.page(self._wish())
        after = cursor_of(found[-1]) if found else None
        return {"columns": NAMES, "runs": await self._rows(found), "after": after}

    def _wish(self) -> RunWish:
        try:
            return read_run_wish(request.args.to_dict(), self._now_ms())
        except BadWish as error:
            raise BadRequest(str(error)) from error

    async def _json(self, wish: RunWish) -> AsyncIterator[str]:
        async for found in self._found(wish):
            yield json_lines(await self._rows(found))

    async def _csv(self, wish: RunWish) -> AsyncIterator[str]:
        yield csv_heading(NAMES)
        async for found in self._found(wish):
            yield csv_lines(NAMES, await self._rows(found))

    async def _rows(self, found: Sequence[Run]) -> list[dict[str, Any]]:
        files = await self._store.run_files.paths([run.id for run in found])
        return [row_of(run, files.get(run.id, ())) for run in found]

    async def _found(self, wish: RunWish) -> AsyncIterator[tuple[Run, ...]]:
        while found := await self._store.run_history.page(wish):
            yield found
            wish = replace(wish, after=(found[-1].created_at, found[-1].id))


async def _download(lines: AsyncIterator[str], kind: str, name: str) -> Response:
    answer = cast("Response", await make_response(lines))
    answer.content_type = f"{kind}; charset=utf-8"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    # A download takes as long as the browser does.
    answer.timeout = None
    return answer
