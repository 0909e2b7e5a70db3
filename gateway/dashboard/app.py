"""Builds the Quart app that answers browsers: pages, static files, headers, error pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from quart import Blueprint, Quart, Response, make_response, render_template, request
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    MisdirectedRequest,
    ServiceUnavailable,
    Unauthorized,
)

from gateway.approvals import Approvals
from gateway.auth.origins import Origins
from gateway.dashboard.assets import Assets
from gateway.dashboard.bodies import MAX_BODY_BYTES, request_class
from gateway.dashboard.forms import Forms
from gateway.dashboard.headers import add_security_headers
from gateway.dashboard.live import Live, full_name
from gateway.dashboard.login import Login
from gateway.dashboard.login_pages import LoginPages, login_page
from gateway.dashboard.navigation import NAVIGATION
from gateway.dashboard.overview import HEALTH, Overview
from gateway.dashboard.pages import Pages
from gateway.dashboard.work import Work
from gateway.dashboard.writing import add_filters, add_globals
from gateway.store import StoreError
from supervisor.events import Event
from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the dashboard reads what it shows."""

    snapshots: Callable[[], tuple[ServerSnapshot, ...]]
    metrics: Callable[[str], ServerMetrics]
    work: Work
    approvals: Approvals
    monotonic: Callable[[], float]
    """The clock of the streams."""
    notice: str | None = None
    """One sentence that every page shows."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The app, and what its owner tells it."""

    app: Quart
    live: Live
    """Tells open pages what changed; `close` when the gateway stops accepting."""
    overview: Overview

    def hear(self, event: Event) -> None:
        """Have open pages show what the supervisor tells of a server."""
        server = getattr(event, "server", "")
        self.overview.changed(server)
        self.live.health_changed(*HEALTH, full_name("server", server))


def build_dashboard(
    sources: Sources, login: Login, live: Live, further: Sequence[Blueprint] = ()
) -> Dashboard:
    """Return the app for everything below `/` that is not an endpoint of MCP.

    `further` pages look like its own and are guarded by themselves; forms are checked for all.
    """
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.request_class = request_class(login.browser)
    browser, assets = login.browser, Assets()
    add_filters(app.jinja_env)
    add_globals(app.jinja_env, asset=assets.path, navigation=NAVIGATION, follow=live.place)
    overview = Overview(
        snapshots=sources.snapshots,
        metrics=sources.metrics,
        work=sources.work,
        templates=app.jinja_env,
        monotonic=sources.monotonic,
    )
    overview.register(live)
    login.sessions.on_ended = live.look_round
    _guard(app, login.origins, Forms(browser))

    async def shared() -> dict[str, object]:
        return {"gateway_notice": sources.notice, "browser": browser, "here": request.path}

    app.context_processor(shared)
    pages = Pages(sessions=login.sessions, live=live, browser=browser, approvals=sources.approvals)
    own = (assets.blueprint(), pages.blueprint(), LoginPages(login).blueprint())
    for blueprint in (*own, *further):
        _register(app, blueprint)
    return Dashboard(app, live, overview)


def _register(app: Quart, blueprint: Blueprint) -> None:
    """Add pages whose rendering waits for no thread.

    A blueprint brings a processor of Flask's along, which finds nothing under Quart but, being no
    coroutine, is run in the loop's thread pool: a page in a flood would wait there for its turn.
    """
    blueprint.template_context_processors[None].clear()
    app.register_blueprint(blueprint)


def _guard(app: Quart, origins: Origins, forms: Forms) -> None:
    """Have every request checked and every answer carry our headers, whichever room it is for."""

    async def check_names() -> None:
        _check_names(origins)

    async def secure(response: Response) -> Response:
        https = origins.is_https(request.scheme, request.host)
        return forms.keep_visitor(add_security_headers(response, https=https))

    app.before_request(check_names)
    app.before_request(forms.check)
    app.after_request(secure)
    # A global, and no variable of the page: imported macros see only those.
    add_globals(app.jinja_env, form_token=forms.token_input)
    app.register_error_handler(HTTPException, _error_page)
    app.register_error_handler(StoreError, _store_page)


def _check_names(origins: Origins) -> None:
    """Raise unless Host and, when there is one, Origin are ours."""
    if not origins.answers_to(request.host):
        raise MisdirectedRequest(
            "This gateway does not answer to this host name; set PUBLIC_URL to the address it has."
        )
    origin = request.headers.get("Origin")
    if origin is not None and not origins.may_come_from(origin, request.host):
        raise Forbidden("Another web page sent this request.")


async def _error_page(error: HTTPException) -> Response:
    if isinstance(error, Unauthorized):
        return await login_page(401, sentence=error.description or "")
    page = await render_template("message.html", title=error.name, sentence=error.description)
    response = cast("Response", await make_response(page))
    response.status_code = error.code or 500
    return response


async def _store_page(error: StoreError) -> Response:
    return await _error_page(ServiceUnavailable(str(error)))
