"""``/server/<name>/code``: the files of a dynamic server, edited and loaded."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from quart import Blueprint, Response, make_response, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from gateway.dashboard.forms import read_form
from gateway.server_pages.desk import OWNER, REFUSALS, Desk, outcome_of, refused
from gateway.server_pages.kept import Outcome
from gateway.servers import Draft, ServerReport, Trials
from gateway.servers.content import KeptFile
from gateway.servers.difference import nothing_hidden
from gateway.servers.fault import read_fault
from gateway.servers.files import FileChanged, FileEdit, digest_of, find_file, text_of
from gateway.servers.folders import CODE_FILE
from gateway.servers.trials import TrialReport
from gateway.tools.server_views import fault_in_words
from supervisor.children.wire import encode
from supervisor.errors import InvalidServer
from supervisor.spec import ServerKind

MAX_CONFLICT = 100_000
"""Characters of a difference that is shown beside a file that was changed meanwhile."""


class CodePages:
    """The handlers, with what they need."""

    def __init__(self, desk: Desk, trials: Trials) -> None:
        self._desk = desk
        self._trials = trials

    def add_to(self, pages: Blueprint) -> None:
        """Add the routes."""
        pages.get("/server/<name>/code")(self.show_code)
        pages.post("/server/<name>/code")(self.save)
        pages.post("/server/<name>/code/try")(self.try_code)
        pages.post("/server/<name>/code/remove")(self.remove_file)

    async def show_code(self, name: str) -> str:
        """The files, and one of them in an editor; `new` in place of a file is one that is not."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        files = await self._desk.servers.files(name)
        path = request.args.get("file", "")
        if "new" in request.args:
            return await self._page(name, files, path, None, "")
        chosen = find_file(files or (), path or CODE_FILE)
        if chosen is None and path:
            raise NotFound(f"Server {name!r} has no file {path[:60]!r}.")
        if chosen is None and files:
            chosen = files[0]
        text = None if chosen is None else text_of(chosen)
        return await self._page(name, files, chosen.path if chosen else "", text, digest_of(chosen))

    async def save(self, name: str) -> Response | WerkzeugResponse:
        """Write one file and load the server with it; say what became of it."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        form = await read_form()
        text = form.get("text", "").replace("\r\n", "\n")
        edit = FileEdit(form.get("file", "").strip(), text, form.get("was", ""))
        before = self._desk.supervisor.snapshot(name).tools
        try:
            report = await self._desk.servers.edit_file(name, edit, author=OWNER)
        except FileChanged as error:
            return await self._conflict(name, edit, error)
        except InvalidServer as error:
            return await self._again(name, edit, Outcome(ok=False, sentence=str(error)))
        except REFUSALS as error:
            raise refused(error) from error
        outcome = _loaded(report, before)
        if report.failure is None:
            return self._desk.back("servers.show_code", outcome, name=name, file=edit.path)
        return await self._again(name, edit, outcome, line=_line_of(report, edit.path))

    async def try_code(self, name: str) -> Response:
        """Start what was typed as `server.py` in a throw-away sandbox, and keep nothing of it."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        form = await read_form()
        text = form.get("text", "").replace("\r\n", "\n")
        edit = FileEdit(CODE_FILE, text, form.get("was", ""))
        trusted = "with_credentials" in form
        try:
            if trusted:
                await self._desk.servers.held.check_trial(name)
            report = await self._trials.run(name, Draft(text), (), with_credentials=trusted)
        except REFUSALS as error:
            refusal = Outcome(ok=False, sentence=str(error))
            return await self._again(name, edit, refusal, trusted=trusted)
        fault = report.fault
        line = fault.line if fault is not None and fault.file == CODE_FILE else None
        outcome, status = _tried(report, trusted=trusted), HTTPStatus.OK
        return await self._again(name, edit, outcome, line=line, status=status, trusted=trusted)

    async def remove_file(self, name: str) -> WerkzeugResponse:
        """Remove one file and load the server without it."""
        self._desk.spec(name, ServerKind.DYNAMIC)
        form = await read_form()
        edit = FileEdit(form.get("file", ""), None, form.get("was", ""))
        before = self._desk.supervisor.snapshot(name).tools
        try:
            report = await self._desk.servers.edit_file(name, edit, author=OWNER)
        except REFUSALS as error:
            raise refused(error) from error
        return self._desk.back("servers.show_code", _loaded(report, before), name=name)

    async def _conflict(self, name: str, edit: FileEdit, error: FileChanged) -> Response:
        """Return the editor with what was typed, over the file as it is now."""
        return await self._again(
            name,
            FileEdit(edit.path, edit.text, error.now),
            Outcome(ok=False, sentence=f"{error} Save again to put yours in its place."),
            difference=nothing_hidden(error.difference)[:MAX_CONFLICT],
        )

    async def _again(
        self,
        name: str,
        edit: FileEdit,
        outcome: Outcome,
        *,
        line: int | None = None,
        difference: str = "",
        status: HTTPStatus = HTTPStatus.CONFLICT,
        trusted: bool = False,
    ) -> Response:
        """Return the editor with what was typed and was not taken over."""
        files = await self._desk.servers.files(name)
        page = await self._page(
            name,
            files,
            edit.path,
            edit.text,
            edit.was,
            outcome=outcome,
            line=line,
            difference=difference,
            trusted=trusted,
        )
        response = cast("Response", await make_response(page))
        response.status_code = status
        return response

    async def _page(
        self,
        name: str,
        files: tuple[KeptFile, ...] | None,
        path: str,
        text: str | None,
        was: str,
        **shown: Any,
    ) -> str:
        return await self._desk.page(
            "server_code.html",
            await self._desk.report(name),
            files=None if files is None else [(file.path, len(file.content)) for file in files],
            path=path,
            is_new=not was,
            text=text,
            was=was,
            **shown,
        )


def _loaded(report: ServerReport, before: tuple[Mapping[str, Any], ...]) -> Outcome:
    """Return what became of code that was saved."""
    seen = report.snapshot
    if report.version is None and report.failure is None:
        return Outcome(ok=True, sentence="The server runs exactly this already.")
    done = f"Saved as version {report.version}: generation {seen.generation} is {seen.state}."
    if report.failure is not None:
        return outcome_of(report, done)
    old, new = _by_name(before), _by_name(seen.tools)
    return outcome_of(
        report,
        done,
        **{
            "Tools added": tuple(name for name in new if name not in old),
            "Tools removed": tuple(name for name in old if name not in new),
            "Tools changed": tuple(n for n in new if n in old and new[n] != old[n]),
            "Missing credentials": report.missing,
            "Hosts it names and may not reach": report.undeclared_hosts,
            "Variables it never gets": report.refused_reads,
        },
    )


def _tried(report: TrialReport, *, trusted: bool) -> Outcome:
    """Return what became of code that was tried; `trusted` with the server's credentials."""
    if report.missing:
        lacking = "which is not set" if trusted else "which a trial gets only if you tick that"
        sentence = f"It was not tried: it needs {', '.join(report.missing)}, {lacking}."
    elif report.failure is not None:
        sentence = f"It does not run: {report.failure}.{fault_in_words(report.fault)}"
    else:
        sentence = "It starts."
    facts = {
        "Tools": tuple(_by_name(report.tools)),
        "Hosts it names and may not reach": report.undeclared_hosts,
    }
    return Outcome(
        ok=report.failure is None,
        sentence=f"{sentence} Nothing was saved.",
        lines=report.stderr_tail if report.failure is not None else (),
        facts=tuple((name, ", ".join(values)) for name, values in facts.items() if values),
    )


def _by_name(tools: tuple[Mapping[str, Any], ...]) -> dict[str, bytes]:
    return {str(tool["name"]): encode(tool) for tool in tools if "name" in tool}


def _line_of(report: ServerReport, path: str) -> int | None:
    """Return the line of a file at which the code failed, if it did there."""
    failure = report.failure
    fault = read_fault(failure.stderr_tail, report.spec.code_dir) if failure else None
    return fault.line if fault is not None and fault.file == path else None
