"""``/local/...``: what the owner's command line asks of the live gateway beside the MCP tools.

The router lets nobody in who does not hold the token of `gateway.json`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from quart import Blueprint, Quart, request
from werkzeug.exceptions import BadRequest, Conflict, HTTPException, NotFound

from gateway.approvals import Approval, Approvals, Decision
from gateway.auth.guard import Guard
from gateway.auth.machine_tokens import (
    InvalidToken,
    MadeToken,
    make_wished_token,
    no_such_token,
    view_token,
)
from gateway.domain.clock import utc_ms
from gateway.domain.token import Scope, TokenWish
from gateway.oauth.clients import env_lines
from gateway.oauth.server import AuthorizationServer, RotationRefused
from gateway.sandbox_notice import sandbox_notice
from gateway.server_entries import combined_entry, server_entries
from gateway.settings import Settings
from gateway.store import Store
from gateway.version import describe_http_server
from supervisor.errors import NotPending, UnknownServer
from supervisor.events import ServerState
from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot
from supervisor.supervisor import Supervisor

MAX_BODY_BYTES = 16 * 1024

Answer = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EntriesWish:
    """Which servers somebody wants in a client's configuration."""

    client: str
    base_url: str
    """Where the asker reaches this gateway."""
    servers: tuple[str, ...] = ()
    combined: bool = False
    """One entry for all of `servers`, or for every server there will be."""


class OwnersWord(msgspec.Struct, frozen=True):
    """What the owner says to one definition of a tool."""

    server: str
    tool: str
    digest: str
    decision: Decision


class LocalRoutes:
    """The handlers, with what they need."""

    def __init__(
        self,
        store: Store,
        guard: Guard,
        supervisor: Supervisor,
        approvals: Approvals,
        settings: Settings,
        oauth: AuthorizationServer,
        further: Iterable[Blueprint],
    ) -> None:
        """`further`: routes that other rooms add."""
        self._further = tuple(further)
        self._oauth = oauth
        self._store = store
        self._guard = guard
        self._supervisor = supervisor
        self._approvals = approvals
        self._settings = settings

    def app(self) -> Quart:
        """Return the routes."""
        app = Quart(__name__)
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.get("/local/status")(self.status)
        app.get("/local/tokens")(self.list_tokens)
        app.post("/local/tokens")(self.create_token)
        app.delete("/local/tokens/<token_id>")(self.revoke_token)
        app.get("/local/approvals")(self.list_approvals)
        app.post("/local/approvals")(self.decide)
        app.post("/local/entries")(self.make_entries)
        app.post("/local/oauth-client")(self.rotate_client)
        for blueprint in self._further:
            app.register_blueprint(blueprint)
        app.register_error_handler(HTTPException, _error)
        return app

    async def status(self) -> Answer:
        """The health of every server, what is not confined, and what carries requests."""
        return {
            "servers": self._servers(),
            "notice": sandbox_notice(self._settings.sandbox),
            "http_server": describe_http_server(self._settings.http_server),
        }

    def _servers(self) -> list[Answer]:
        seen = self._supervisor.snapshots()
        return [view_server(each, self._supervisor.metrics(each.name)) for each in seen]

    async def list_tokens(self) -> Answer:
        """Every token without its value."""
        return {"tokens": [view_token(each) for each in await self._store.tokens.all()]}

    async def create_token(self) -> tuple[Answer, int]:
        """A new token; its value is in this answer and nowhere else."""
        made = await self._make(_read(await request.get_json(), TokenWish))
        return {**view_token(made.token), "token": made.value}, 201

    async def revoke_token(self, token_id: str) -> Answer:
        """End a token at once."""
        if not await self._store.tokens.revoke(token_id, utc_ms()):
            raise NotFound(no_such_token(token_id))
        self._guard.forget(token_id)
        return {"revoked": token_id}

    async def list_approvals(self) -> Answer:
        """Every definition of a tool that waits for the owner or was rejected."""
        return {"approvals": [view_approval(each) for each in self._approvals.all()]}

    async def decide(self) -> Answer:
        """Approve or reject one definition."""
        word = _read(await request.get_json(), OwnersWord)
        try:
            self._approvals.decide(word.server, word.tool, word.digest, word.decision)
        except (UnknownServer, NotPending) as error:
            raise NotFound(str(error)) from error
        return {"server": word.server, "tool": word.tool, "decision": word.decision.value}

    async def make_entries(self) -> tuple[Answer, int]:
        """Entries of a client's configuration, with a new token for just those servers."""
        wish = _read(await request.get_json(), EntriesWish)
        for name in wish.servers:
            self._check_enabled(name)
        if not wish.servers and not wish.combined:
            raise BadRequest("Name a server, or ask for all of them at once.")
        # A star: the one entry for all goes on to show servers that come later.
        token = TokenWish(f"config for {wish.client}", Scope.RUN, wish.servers or ("*",))
        made = await self._make(token)
        give = combined_entry if wish.combined else partial(server_entries, wish.servers)
        entries = give(base_url=wish.base_url, token=made.value)
        return {"entries": entries, "token_id": made.token.id}, 201

    def _check_enabled(self, name: str) -> None:
        try:
            state = self._supervisor.slot(name).state
        except UnknownServer as error:
            raise NotFound(str(error)) from error
        if state is ServerState.DISABLED:
            raise BadRequest(f"Server {name!r} is disabled; enable it first.")

    async def _make(self, wish: TokenWish) -> MadeToken:
        try:
            made = await make_wished_token(self._store.tokens, wish)
        except InvalidToken as error:
            raise BadRequest(str(error)) from error
        await self._guard.note_made(made.value)
        return made

    async def rotate_client(self) -> Answer:
        """Another pre-registered OAuth client, as lines for `.env`."""
        try:
            return {"env": env_lines(await self._oauth.rotate())}
        except RotationRefused as error:
            raise Conflict(str(error)) from error


def build_local(
    store: Store,
    guard: Guard,
    supervisor: Supervisor,
    approvals: Approvals,
    settings: Settings,
    oauth: AuthorizationServer,
    further: Iterable[Blueprint],
) -> Quart:
    """Return the application for everything below ``/local``."""
    return LocalRoutes(store, guard, supervisor, approvals, settings, oauth, further).app()


def view_approval(found: Approval) -> Answer:
    """Return a quarantined tool as the command line shows it."""
    return {
        "server": found.server,
        "tool": found.tool,
        "digest": found.digest,
        "reason": found.reason,
        "since": found.since,
        "rejected": found.rejected,
        "approved": found.approved,
        "listed": found.listed,
        "difference": found.difference(),
    }


def view_server(seen: ServerSnapshot, metrics: ServerMetrics) -> Answer:
    """Return a server as the command line shows it."""
    return {
        "name": seen.name,
        "kind": seen.kind.value,
        "state": seen.state.value,
        "reason": seen.reason,
        "rejected": seen.rejected,
        "level": seen.level.value,
        "network": seen.network.mode.value,
        "hosts": list(seen.network.hosts),
        "refused_hosts": list(seen.refused_hosts),
        "bytes_out": seen.bytes_out,
        "bytes_in": seen.bytes_in,
        "packages": list(seen.packages),
        "environment_bytes": seen.environment.bytes if seen.environment else None,
        "environment_built_at": seen.environment.at if seen.environment else None,
        "generation": seen.generation,
        "pid": seen.pid,
        "start": seen.start.value if seen.start else None,
        "uptime_s": seen.uptime_s,
        "restarts": seen.restarts,
        "restarting": _is_restarting(seen),
        "calls": seen.calls,
        "errors": seen.errors,
        "in_flight": seen.in_flight,
        "instances": [asdict(instance) for instance in seen.instances],
        "cpu_percent": metrics.cpu_percent,
        "private_bytes": metrics.private_bytes,
        "p95_ms": metrics.latency.p95_ms,
        "tools": [str(tool.get("name")) for tool in seen.tools],
        "quarantined_tools": [found.tool for found in seen.quarantined_tools],
    }


def _is_restarting(seen: ServerSnapshot) -> bool:
    """True while a server is being started because the process before this one died."""
    crash = seen.last_crash
    return (
        seen.state is ServerState.STARTING
        and crash is not None
        and crash.generation >= seen.generation - 1
    )


def _read(asked: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(asked, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body is not what this address takes: {error}.") from error


async def _error(error: HTTPException) -> tuple[Answer, int]:
    return {"error": error.description or error.name}, error.code or 500
