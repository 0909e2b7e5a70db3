"""``/settings``: what holds, who says so, and changes of `.env` that are checked first."""

from collections.abc import Mapping
from http import HTTPStatus

import anyio
from anyio import to_thread
from quart import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import Conflict, Forbidden, NotFound
from werkzeug.wrappers import Response

from gateway.dashboard.browser import Browser
from gateway.dashboard.forms import read_form
from gateway.restarting import Restart
from gateway.server_pages.kept import Kept
from gateway.setting_changes import NotWritten, SettingRefused, change_setting, find_variable
from gateway.settings import ReadFrom, SettingsError, load, read_env_file
from gateway.settings_pages.backups import BackupPages
from gateway.settings_pages.rows import SettingRow, may_only_command, setting_rows
from gateway.shutdown import DEADLINE_S
from gateway.variables import MCP_TRANSPORT, Transport, Variable

NO_FILE = "This gateway reads no .env file, so only its environment says what holds."
NO_CLIENT = (
    "With MCP_TRANSPORT=stdio the gateway would not come back, for no MCP client started it: its "
    "standard input is no pipe. Set http, sse or both."
)


class SettingsPages:
    """The handlers, with what they need."""

    def __init__(
        self,
        browser: Browser,
        read_from: ReadFrom,
        restart: Restart,
        backups: BackupPages,
        *,
        otherwise: str,
        has_client: bool,
    ) -> None:
        """Show and change what was read from there.

        `otherwise`: how the gateway is restarted where the page cannot; empty: it can.
        `has_client`: whether standard input is a pipe, without which stdio alone cannot serve.
        """
        self._browser = browser
        self._backups = backups
        self._read_from = read_from
        self._restart = restart
        self._otherwise = otherwise
        self._has_client = has_client
        self._one_at_a_time = anyio.Lock()
        self._told: Kept[str] = Kept()

    def blueprint(self) -> Blueprint:
        """Return the routes; all want a session."""
        pages = Blueprint("settings", __name__, template_folder="templates")
        pages.before_request(self._require_session)
        pages.get("/settings")(self.index)
        pages.get("/settings/<name>")(self.show)
        pages.post("/settings/<name>")(self.change)
        pages.post("/restart")(self.begin_anew)
        self._backups.add_to(pages)
        return pages

    async def index(self) -> str:
        """Every setting."""
        rows = setting_rows(self._read_from, await self._file())
        return await render_template(
            "settings.html",
            rows=rows,
            waiting=[row.name for row in rows if row.waits],
            file=self._read_from.env_file,
            otherwise=self._otherwise,
            told=self._told.find(request.args.get("said", "")),
        )

    async def show(self, name: str) -> str:
        """One setting, and a form to change it."""
        return await self._page(_find(name), "")

    async def change(self, name: str) -> Response | tuple[str, HTTPStatus]:
        """Write one setting into the file, or take it out, if a gateway would start with that."""
        variable, form = _find(name), await read_form()
        if may_only_command(variable):
            raise Forbidden(f"{name} is changed by the command line alone.")
        file = self._read_from.env_file
        if file is None:
            raise Conflict(NO_FILE)
        value = None if form.get("do") == "unset" else form.get("value", "").strip("\r\n")
        if value == "":
            return await self._again(variable, "Please fill this in, or take the setting out.")
        if variable is MCP_TRANSPORT and value == Transport.STDIO and not self._has_client:
            return await self._again(variable, NO_CLIENT)
        try:
            async with self._one_at_a_time:
                await to_thread.run_sync(
                    change_setting, file, variable, value, self._read_from.environ
                )
        except SettingRefused as error:
            return await self._again(variable, str(error))
        except NotWritten as error:
            return await self._again(variable, str(error), HTTPStatus.CONFLICT)
        said = self._told.keep(_told(await self._row(variable)))
        return redirect(url_for("settings.index", said=said), HTTPStatus.SEE_OTHER)

    async def begin_anew(self) -> tuple[str, HTTPStatus]:
        """Have the gateway end in order and begin anew, if it could start by its settings."""
        if self._otherwise:
            raise Conflict(self._otherwise)
        read = self._read_from
        try:
            coming = await to_thread.run_sync(load, dict(read.environ), read.env_file)
        except SettingsError as error:
            raise Conflict(f"The gateway would not start: {error} Nothing was done.") from error
        if coming.mcp_transport is Transport.STDIO and not self._has_client:
            raise Conflict(NO_CLIENT)
        self._restart.ask()
        sentence = (
            "The gateway restarts. Load the dashboard again in some seconds. If it has not ended "
            f"within {DEADLINE_S:g} s, its process ends at once instead, and has to be started by "
            "hand."
        )
        page = await render_template("message.html", title="Restart", sentence=sentence)
        return page, HTTPStatus.ACCEPTED

    async def _page(self, variable: Variable[object], problem: str) -> str:
        return await render_template(
            "setting.html",
            row=await self._row(variable),
            problem=problem,
            file=self._read_from.env_file,
        )

    async def _again(
        self,
        variable: Variable[object],
        problem: str,
        status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY,
    ) -> tuple[str, HTTPStatus]:
        return await self._page(variable, problem), status

    async def _row(self, variable: Variable[object]) -> SettingRow:
        rows = setting_rows(self._read_from, await self._file())
        return next(row for row in rows if row.name == variable.name)

    async def _file(self) -> Mapping[str, str]:
        """Return what the file says now. Raises Conflict when somebody broke it meanwhile."""
        file = self._read_from.env_file
        try:
            return {} if file is None else await to_thread.run_sync(read_env_file, file)
        except SettingsError as error:
            raise Conflict(str(error)) from error

    async def _require_session(self) -> None:
        self._browser.require_session()


def _find(name: str) -> Variable[object]:
    try:
        return find_variable(name)
    except SettingRefused as error:
        raise NotFound(str(error)) from error


def _told(row: SettingRow) -> str:
    if row.wins:
        return f"The file is changed, but the environment sets {row.name} too, and wins."
    said = f"{row.name} will come from: {row.next_origin}."
    return f"{said} It takes effect after a restart." if row.waits else f"{said} It holds already."
