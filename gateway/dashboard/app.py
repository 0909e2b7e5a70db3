"""Builds the Quart app that answers browsers: pages, static files, headers, error pages."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from quart import Blueprint, Quart, Response, render_template, request
from werkzeug.exceptions import Forbidden, HTTPException, MisdirectedRequest

from gateway.approvals import Approvals
from gateway.auth.origins import Origins
from gateway.dashboard.browser import Browser
from gateway.dashboard.headers import add_security_headers
from gateway.dashboard.live import LiveFragment
from gateway.dashboard.pages import Pages
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.views import run_rows, server_rows
from gateway.domain.run import Run
from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot

MAX_BODY_BYTES = 64 * 1024
"""No form of ours is larger."""
LINK_COMMAND = "./claude-runner dashboard-link"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the dashboard reads what it shows, and the clock of its streams."""

    snapshots: Callable[[], tuple[ServerSnapshot, ...]]
    metrics: Callable[[str], ServerMetrics]
    recent_runs: Callable[[], Awaitable[tuple[Run, ...]]]
    monotonic: Callable[[], float]
    approvals: Approvals
    notice: str | None = None
    """One sentence that every page shows."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The app, and what its owner tells it."""

    app: Quart
    live: LiveFragment
    """`mark_changed` for every event worth showing; `close` when the gateway stops accepting."""


def build_dashboard(
    sources: Sources, *, sessions: Sessions, origins: Origins, further: Sequence[Blueprint] = ()
) -> Dashboard:
    """Return the app for everything below `/` that is not an endpoint of MCP.

    `further` pages look like its own and are guarded by themselves.
    """
    app = Quart(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    async def render_health() -> str:
        template = app.jinja_env.get_template("health.html")
        return await template.render_async(
            servers=server_rows(sources.snapshots(), sources.metrics),
            runs=run_rows(await sources.recent_runs()),
        )

    async def check_names() -> None:
        _check_names(origins)

    async def secure(response: Response) -> Response:
        return add_security_headers(response, https=origins.is_https(request.scheme, request.host))

    def shared() -> dict[str, str | None]:
        return {"notice": sources.notice}

    live = LiveFragment(render_health, sources.monotonic)
    app.context_processor(shared)
    app.before_request(check_names)
    app.after_request(secure)
    app.register_error_handler(HTTPException, _error_page)
    browser = Browser(sessions, origins)
    pages = Pages(sessions=sessions, live=live, browser=browser, approvals=sources.approvals)
    for blueprint in (pages.blueprint(), *further):
        app.register_blueprint(blueprint)
    return Dashboard(app, live)


def _check_names(origins: Origins) -> None:
    """Raise unless Host and, when there is one, Origin are ours."""
    if not origins.answers_to(request.host):
        raise MisdirectedRequest(
            "This gateway does not answer to this host name; set PUBLIC_URL to the address it has."
        )
    origin = request.headers.get("Origin")
    if origin is not None and not origins.may_come_from(origin, request.host):
        raise Forbidden("Another web page sent this request.")


async def _error_page(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    page = await render_template(
        "message.html",
        title=error.name,
        sentence=error.description,
        command=LINK_COMMAND if code == 401 else None,
    )
    return page, code
