"""``/local/runs``: what the command line asks about a run while it happens."""

import json

from quart import Blueprint, Response, request

from gateway.jobs.feeds import Events, Feeds
from gateway.run_files.shelf import Shelf
from gateway.run_pages.downloads import download_file
from gateway.run_pages.events import event_view
from gateway.run_pages.streaming import asked_place, stream_run
from gateway.store import Store


def build_run_routes(feeds: Feeds, store: Store, shelf: Shelf) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("live_runs", __name__)

    @routes.get("/local/runs/<run_id>/events")
    async def follow(run_id: str) -> Response:  # pyright: ignore[reportUnusedFunction] - a route
        """Lines of JSON, one for each event; an empty line says that the run goes on."""
        place = asked_place(request.args.get("after", "0.0"))
        return await stream_run(
            feeds, run_id, place, shown=_lines, content_type="application/jsonl; charset=utf-8"
        )

    @routes.get("/local/runs/<run_id>/files/<int:attempt>/<int:number>")
    async def download(  # pyright: ignore[reportUnusedFunction] - a route
        run_id: str, attempt: int, number: int
    ) -> Response:
        """The bytes of a file that the run left."""
        return await download_file(store, shelf, run_id, attempt, number)

    return routes


async def _lines(events: Events) -> str:
    return "".join(f"{json.dumps(event_view(event))}\n" for event in events) or "\n"
