"""Who may enter an MCP endpoint, and the answers that tell the others how to get in.

Source: RFC 6750 section 3, RFC 9728 section 5.1, MCP basic/authorization.
"""

from collections.abc import Awaitable, Callable

from gateway.auth.caller import Caller, CallerKind
from gateway.auth.guard import Guard
from gateway.auth.origins import Origins
from gateway.domain.token import Scope as Permission
from gateway.oauth.metadata import challenge
from gateway.oauth.resources import resource_path
from gateway.reach.limits import CallerLimits, retry_after
from gateway.relay.http import Headers, Message, Scope, Send, send_body
from gateway.relay.refusal import INVALID_REQUEST, SERVER_ERROR
from gateway.store import StoreError
from supervisor.children.wire import Envelope, error_message, parse_fields
from supervisor.errors import INTERNAL_ERROR

CHALLENGE = b"www-authenticate"
ADMITTED = "claude_runner.admitted"
"""Key in the ASGI scope of the caller whose call was counted already."""

NeededScope = Callable[[str], Awaitable[Permission | None]]
"""Returns what a management tool needs; None for one that does not exist."""
Refused = Callable[[Caller, str | None], None]
"""Takes a caller and the tool that it may not call; None: it may call none of them."""


class Admission:
    """Asks the guard, checks what a token is for, and challenges."""

    def __init__(
        self,
        guard: Guard,
        origins: Origins,
        limits: CallerLimits,
        needed_scope: NeededScope,
        refused: Refused,
    ) -> None:
        """`refused` is told of callers who may not do what they ask of the management tools."""
        self._guard = guard
        self._limits = limits
        self._origins = origins
        self._needed_scope = needed_scope
        self._refused = refused

    async def admit(self, scope: Scope, send: Send) -> Caller | None:
        """Return the caller, or None after answering 401, 429 or 503."""
        admitted: Caller | None = scope.get(ADMITTED)
        if admitted is not None:
            return admitted
        authorization = Headers.of(scope).get(b"authorization")
        failed_wait_s = self._limits.failed_wait_s(scope)
        try:
            caller = await self._guard.caller(authorization, ask_store=not failed_wait_s)
        except StoreError as error:
            await send_body(send, 503, error_message(None, INTERNAL_ERROR, str(error)))
            return None
        if caller is not None and self._may_enter(caller, scope):
            if wait_s := self._limits.take(caller, scope):
                await _send_too_many(send, wait_s, "More calls than this gateway takes at once")
                return None
            return caller
        if authorization is not None:
            if failed_wait_s:
                await _send_too_many(send, failed_wait_s, "Too many wrong tokens")
                return None
            self._limits.note_failure(scope)
        base, resource = self._base(scope), resource_path(scope["path"])
        error = None if authorization is None else "invalid_token"
        await send_body(
            send,
            401,
            error_message(None, INVALID_REQUEST, "A bearer token is needed."),
            headers={CHALLENGE: challenge(base, resource, error=error)},
        )
        return None

    def admit_known(self, scope: Scope) -> Caller | None:
        """Return a caller who may call now and is known; None: `admit` finds out, and answers."""
        caller = self._guard.known_caller(Headers.of(scope).get(b"authorization"))
        if caller is None or not self._may_enter(caller, scope) or self._limits.take(caller, scope):
            return None
        scope[ADMITTED] = caller
        return caller

    async def admit_to_management(self, scope: Scope, send: Send) -> Caller | None:
        """Return the caller if its token is not bound to servers; None after answering."""
        caller = await self.admit(scope, send)
        if caller is None or caller.view is None:
            return caller
        self._refused(caller, None)
        sentence = "A token for named servers or tools cannot reach the management tools."
        await send_body(send, 403, error_message(None, INVALID_REQUEST, sentence))
        return None

    def _may_enter(self, caller: Caller, scope: Scope) -> bool:
        """True when the caller's token is good at the endpoint that a request is for."""
        if caller.resource is None:
            return True
        return caller.resource == f"{self._base(scope)}{resource_path(scope['path'])}"

    async def admit_call(
        self, scope: Scope, send: Send, *, caller: Caller, message: Envelope
    ) -> bool:
        """True when the caller may send this to the management tools; else 403 was answered."""
        if caller.kind is not CallerKind.CLIENT or message.method != "tools/call":
            return True
        tool = parse_fields(message.params).name or ""
        needed = await self._needed_scope(tool)
        if needed is None or not caller.scopes.isdisjoint({needed, Permission.ADMIN}):
            return True
        self._refused(caller, tool)
        sentence = f"This needs scope {needed}, which the owner did not allow."
        await send_body(
            self.challenging(scope, send, caller=caller, needed=needed),
            403,
            error_message(message.id and bytes(message.id), INVALID_REQUEST, sentence),
        )
        return False

    def challenging(self, scope: Scope, send: Send, *, caller: Caller, needed: Permission) -> Send:
        """Return a `send` by which a client learns from a 403 which scopes to ask for."""
        if caller.kind is not CallerKind.CLIENT or not caller.scopes.isdisjoint(
            {needed, Permission.ADMIN}
        ):
            return send
        header = challenge(
            self._base(scope),
            resource_path(scope["path"]),
            scopes={*caller.scopes, needed},
            error="insufficient_scope",
        )

        async def send_challenged(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 403:
                message = {**message, "headers": [*message["headers"], (CHALLENGE, header)]}
            await send(message)

        return send_challenged

    def _base(self, scope: Scope) -> str:
        return self._origins.base_of(scope["scheme"], Headers.of(scope).get(b"host") or "")


async def _send_too_many(send: Send, wait_s: float, what: str) -> None:
    after = retry_after(wait_s)
    sentence = f"{what}; try again in {after.decode()} s."
    body = error_message(None, SERVER_ERROR, sentence)
    await send_body(send, 429, body, headers={b"retry-after": after})
