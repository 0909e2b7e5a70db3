"""``/audit``: the audit log for the owner, a page at a time, and as lines of JSON."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import cast
from urllib.parse import parse_qsl, urlencode

from quart import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import BadRequest, ServiceUnavailable, Unauthorized

from gateway.audit.reading import AuditLog
from gateway.audit.views import MAX_SHOWN, BadWish, view_entry
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.domain.audit import AuditWish, Outcome
from gateway.store import StoreError

PAGE = 100
FILTERS = ("since", "who", "server", "tool", "outcome")


class AuditPages:
    """The handlers, with what they need."""

    def __init__(self, log: AuditLog, browser: Browser, live: Live) -> None:
        self._log = log
        self._browser = browser
        self._live = live
        self._seen = Seen("audit-seen", self._newest)

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("audit", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.record(lambda made: self._seen.register(self._live, made.app.jinja_env))
        pages.get("/audit")(self.show)
        pages.get("/audit.jsonl")(self.export)
        return pages

    async def show(self) -> str:
        """One page of entries, the newest first."""
        asked = self._asked()
        filters = {name: asked.get(name, "") for name in FILTERS}
        try:
            followed = "" if "before" in asked else await self._seen.name(urlencode(filters))
            found = await self._log.find(asked, PAGE)
        except BadWish as error:
            raise BadRequest(str(error)) from error
        except StoreError as error:
            raise ServiceUnavailable(str(error)) from error
        return await render_template(
            "audit.html",
            rows=[view_entry(each) for each in found],
            filters=filters,
            followed=followed,
            outcomes=[outcome.value for outcome in Outcome],
            older=found[-1].number if len(found) == PAGE else None,
        )

    async def _newest(self, query: str) -> int | None:
        """Return the number of the newest entry that some filters let through."""
        try:
            found = await self._log.find(dict(parse_qsl(query)), 1)
        except BadWish:
            return None
        return found[0].number if found else None

    async def export(self) -> Response:
        """All entries that the filters let through, oldest first, one JSON object a line."""
        try:
            wish = self._log.wish(self._asked(), MAX_SHOWN)
        except BadWish as error:
            raise BadRequest(str(error)) from error
        answer = cast("Response", await make_response(self._lines(wish)))
        answer.content_type = "application/jsonl; charset=utf-8"
        answer.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
        return answer

    async def _lines(self, wish: AuditWish) -> AsyncIterator[str]:
        after = 0
        while found := await self._log.read(replace(wish, before=None, after=after)):
            yield "".join(f"{json.dumps(asdict(view_entry(each)))}\n" for each in found)
            after = found[-1].number

    def _asked(self) -> dict[str, str]:
        return request.args.to_dict()

    async def _require_session(self) -> None:
        if not self._browser.is_logged_in():
            raise Unauthorized("This page needs a login.")
