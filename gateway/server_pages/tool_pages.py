"""``/server/<name>/tools`` and ``/server/<name>/tool``: what a server can do, and a try of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import anyio
from jinja2 import Environment
from quart import Blueprint, Response, make_response, redirect, request, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.calls.calls import CallEnded, LongCall
from gateway.calls.kept_results import NoSuchResult
from gateway.dashboard.forms import read_form
from gateway.dashboard.live import Live
from gateway.dashboard.seen import Seen
from gateway.json_schema import Checker, Unfollowable, checker_of
from gateway.server_pages.answers import Answer
from gateway.server_pages.desk import Desk
from gateway.server_pages.tool_forms import Field, Filled, fields_of, read_fields
from gateway.server_pages.trying import Trying
from gateway.servers import ServerReport
from gateway.tools.mending import argument_of, clause_of, faults_in, mended
from gateway.tools.payload import NotAnObject, read_payload
from supervisor.children.wire import encode
from supervisor.errors import SupervisorError

ANY_OBJECT = b'{"type":"object"}'
CHANGED = "The tool is another one than your page showed. Look again; nothing was called."
GONE = "This call is not kept any more; answers are kept for an hour and end with the gateway."
MAX_SOUGHT = 200
HINTS = (
    ("readOnlyHint", True, "reads only"),
    ("readOnlyHint", False, "changes things"),
    ("destructiveHint", True, "may destroy"),
    ("idempotentHint", True, "the same when repeated"),
    ("openWorldHint", True, "reaches the outside"),
)
Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was sent, when it goes back with what is wrong."""

    form: Mapping[str, str]
    problems: Mapping[str, str]
    """By argument; '' for the whole."""


class ToolPages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk, trying: Trying, live: Live) -> None:
        self._desk = desk
        self._trying = trying
        self._live = live
        self._seen = Seen("tools-seen", self._listed)

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes, and the fragment of a call that is under way."""
        pages.record(lambda state: self._follow(state.app.jinja_env))
        pages.get("/server/<name>/tools")(self.show_tools)
        pages.get("/server/<name>/tool")(self.show_tool)
        pages.post("/server/<name>/tool")(self.call)
        pages.post("/server/<name>/tool/cancel")(self.cancel)
        pages.get("/server/<name>/tool/result")(self.read_result)

    def _follow(self, templates: Environment) -> None:
        template = templates.get_template("server_tried.html")

        async def render(handle: str) -> str:
            call = self._trying.find(handle)
            if call is None or call.ended_at is not None:
                return await template.render_async(state="gone" if call is None else "ended")
            for_s = anyio.current_time() - call.started_at
            return await template.render_async(progress=call.progress, for_s=for_s)

        self._live.register("tried", render, ticks=True)
        self._seen.register(self._live, templates)

    async def show_tools(self, name: str) -> str:
        """Every tool, served or quarantined."""
        report = await self._desk.report(name)
        tools = [_shown(tool) for tool in report.snapshot.tools if "name" in tool]
        followed = await self._seen.name(name)
        return await self._desk.page("server_tools.html", report, tools=tools, followed=followed)

    async def _listed(self, name: str) -> object:
        """Return what a server's tools are like, served or quarantined."""
        try:
            report = await self._desk.report(name)
        except NotFound:
            return None
        return [*report.snapshot.tools], self._desk.waiting(name)

    async def show_tool(self, name: str) -> str:
        """One tool, a form to try it, and what it answered to the last try."""
        report = await self._desk.report(name)
        tool = self._find(report, request.args.get("tool", ""))
        tried = self._trying.find(request.args.get("tried", ""))
        return await self._form(report, tool, None, raw="json" in request.args, tried=tried)

    async def call(self, name: str) -> Response | WerkzeugResponse:
        """Call it once with what was typed, if that fits its schema."""
        report, form = await self._desk.report(name), await read_form()
        tool = self._find(report, form.get("tool", ""))
        raw = "payload" in form
        if form.get("definition") != _digest(tool):
            return await self._again(report, tool, Typed(form, {"": CHANGED}), raw=raw)
        filled = _read_raw(form) if raw else read_fields(fields_of(_schema(tool)) or (), form)
        problems = filled.problems or _problems(filled.arguments, tool)
        if problems:
            return await self._again(report, tool, Typed(form, problems), raw=raw)
        tried = await self._trying.call(name, tool, filled.arguments)
        return _to(name, str(tool["name"]), tried.handle, raw=raw)

    async def cancel(self, name: str) -> WerkzeugResponse:
        """End a call that is under way."""
        form = await read_form()
        tried = self._trying.find(form.get("tried", ""))
        if tried is None:
            raise NotFound(GONE)
        await self._trying.cancel(tried)
        return _to(name, form.get("tool", ""), tried.handle, raw=False)

    async def read_result(self, name: str) -> str:
        """All of an answer that was too long to be shown at once, a page at a time."""
        report = await self._desk.report(name)
        handle, sought = request.args.get("handle", ""), request.args.get("contains", "")
        offset = max(0, request.args.get("offset", 0, type=int))
        try:
            page = await self._trying.read(handle, offset)
            found = (
                await self._trying.search(handle, sought[:MAX_SOUGHT], offset) if sought else None
            )
        except NoSuchResult as error:
            raise NotFound(GONE) from error
        return await self._desk.page(
            "server_result.html", report, handle=handle, sought=sought, read=page, found=found
        )

    async def _again(
        self, report: ServerReport, tool: Tool, typed: Typed, *, raw: bool
    ) -> Response:
        page = await make_response(await self._form(report, tool, typed, raw=raw, tried=None))
        response = cast("Response", page)
        response.status_code = HTTPStatus.BAD_REQUEST
        return response

    async def _form(
        self,
        report: ServerReport,
        tool: Tool,
        typed: Typed | None,
        *,
        raw: bool,
        tried: LongCall[Answer] | None,
    ) -> str:
        fields = fields_of(_schema(tool))
        problems = dict(typed.problems) if typed else {}
        as_json = raw or fields is None
        shown: tuple[Field, ...] = () if as_json else fields or ()
        named = {field.name for field in shown}
        return await self._desk.page(
            "server_tool.html",
            report,
            tool=_shown(tool),
            fields=shown,
            as_json=as_json,
            has_form=fields is not None,
            payload=typed.form.get("payload") if typed else _example(tool) if as_json else "",
            values=typed.form if typed else {},
            problems=problems,
            whole=[text for place, text in problems.items() if place not in named],
            tried=tried,
            answer=_answer_of(tried),
            under_way=[
                each
                for each in self._trying.under_way(report.spec.name, str(tool["name"]))
                if each is not tried
            ],
        )

    def _find(self, report: ServerReport, tool: str) -> Tool:
        for each in report.snapshot.tools:
            if each.get("name") == tool:
                return each
        name = report.spec.name
        try:
            withheld = self._desk.supervisor.slot(name).pins.refusal(tool)
        except SupervisorError as error:
            raise NotFound(str(error)) from error
        if withheld is not None:
            raise Conflict(str(withheld))
        raise NotFound(f"Server {name!r} shows no tool {tool[:60]!r} now.")


def _to(name: str, tool: str, tried: str, *, raw: bool) -> WerkzeugResponse:
    """Return the way to the page of a tool, with what became of a call."""
    where: dict[str, Any] = {"tool": tool, "tried": tried, **({"json": "1"} if raw else {})}
    return redirect(url_for("servers.show_tool", name=name, **where), HTTPStatus.SEE_OTHER)


def _answer_of(tried: LongCall[Answer] | None) -> Answer | None:
    """Return what a call led to; None while it is under way."""
    if tried is None or tried.ended_at is None:
        return None
    try:
        return tried.answer()
    except CallEnded as error:
        took_ms = (tried.ended_at - tried.started_at) * 1000
        return Answer(tried.tool, "", took_ms, "ended", "bad", sentence=str(error))


def _shown(tool: Tool) -> dict[str, object]:
    given: object = tool.get("annotations")
    notes = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    output: object = tool.get("outputSchema")
    return {
        "name": str(tool["name"]),
        "title": str(tool.get("title") or notes.get("title") or ""),
        "description": str(tool.get("description") or ""),
        "notes": [word for key, value, word in HINTS if notes.get(key) is value],
        "schema": _pretty(tool.get("inputSchema", {})),
        "output": None if output is None else _pretty(output),
        "definition": _digest(tool),
    }


def _problems(arguments: Mapping[str, Any], tool: Tool) -> dict[str, str]:
    """Return what does not fit, by argument."""
    found: dict[str, str] = {}
    for fault in faults_in(arguments, _checker(tool)):
        found.setdefault(argument_of(fault) or "", f"{clause_of(fault)}.")
    return found


def _read_raw(form: Mapping[str, str]) -> Filled:
    try:
        return Filled(read_payload(form.get("payload", "").strip() or "{}"), {})
    except NotAnObject as error:
        return Filled({}, {"": f"What was typed {error}, not a JSON object."})


def _example(tool: Tool) -> str:
    text = mended({}, _checker(tool))
    return "{}" if text is None else json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def _checker(tool: Tool) -> Checker:
    try:
        return checker_of(encode(_schema(tool)))
    except Unfollowable:
        return checker_of(ANY_OBJECT)


def _schema(tool: Tool) -> object:
    return tool.get("inputSchema", {})


def _digest(tool: Tool) -> str:
    return hashlib.sha256(encode(tool)).hexdigest()


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
