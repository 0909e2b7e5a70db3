"""Walks claude.ai's way to this gateway, step by step, and leaves nothing behind."""

import base64
import hashlib
import secrets
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import anyio
import httpx2

from gateway.connector import signing_in, way
from gateway.connector.probe import PATH, Probe, Visit
from gateway.connector.report import Grade, Report, Step, fine, problem
from gateway.connector.web import CALLING, DOCTOR, NoAnswer, Web
from gateway.oauth.clients import REDIRECT_URIS
from gateway.oauth.metadata import AUTHORIZATION_SERVER, PROTECTED_RESOURCE

ENDPOINT = "/mcp"
WALK_S = 90.0
"""For all steps; a step by itself waits for web.TIMEOUT_S at most."""
BODY_BYTES = 2 * 1024 * 1024
"""More than the million bytes that proxies take unless they are told otherwise."""
FOREIGN = "https://foreign.invalid/callback"
NOBODY = DOCTOR
"""A client that does not exist."""
RPC = {"Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": NOBODY, "version": "1"},
    },
}

FurtherSteps = Callable[[], Sequence[Step]]


class ConnectorDoctor:
    """Walks to the public address, or to the local one where there is none; one at a time."""

    def __init__(
        self,
        *,
        public: Callable[[], str | None],
        local: str,
        probe: Probe,
        remove_client: Callable[[str], Awaitable[None]],
        further: FurtherSteps = tuple,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._public = public
        self._local = local
        self._probe = probe
        self._remove_client = remove_client
        self._further = further
        self._tls = tls or ssl.create_default_context()
        self._walking = anyio.Lock()

    async def examine(self) -> Report:
        """Return what was seen. Raises StoreError when the registered client cannot be removed."""
        public = self._public()
        base = public or self._local
        # Before the walk, which makes mistakes of its own.
        further = self._further()
        steps = [way.check_address(public, base)]
        async with self._walking:
            try:
                with anyio.fail_after(WALK_S):
                    steps.extend([step async for step in self._walk(base)])
            except TimeoutError:
                wrong = f"The walk took longer than {WALK_S:g} s."
                steps.append(problem("time", "", wrong, "See how slow the steps above were."))
        return Report(base, (*steps, *further))

    async def _walk(self, base: str) -> AsyncGenerator[Step]:
        async for step in self._arrive(base):
            yield step
            if step.grade is Grade.PROBLEM:
                return
        async with Web(base, self._tls) as web:
            async for step in _told(self._health(web)):
                yield step
                if step.grade is Grade.PROBLEM:
                    return
            stages = (self._delivery, self._streaming, _challenges, _documents, self._sign_in)
            for stage in stages:
                async for step in _told(stage(web)):
                    yield step

    async def _arrive(self, base: str) -> AsyncGenerator[Step]:
        yield await way.check_name(base)
        if base.startswith("https://"):
            yield await way.check_tls(base, self._tls)

    async def _health(self, web: Web) -> AsyncGenerator[Step]:
        answer = await web.ask("GET", "/healthz")
        yield way.check_clock(answer, datetime.now(UTC))
        yield way.check_health(answer, web.base)

    async def _delivery(self, web: Web) -> AsyncGenerator[Step]:
        with self._probe.visit() as visit:
            answer = await web.ask("POST", f"{PATH}/{visit.key}", content=b"." * BODY_BYTES)
        for step in way.check_delivery(answer, web.base, sent=BODY_BYTES):
            yield step

    async def _streaming(self, web: Web) -> AsyncGenerator[Step]:
        with self._probe.visit() as visit:
            response = await web.open(f"{PATH}/{visit.key}")
            try:
                yield await _judge_stream(response, visit)
            finally:
                await response.aclose()

    async def _sign_in(self, web: Web) -> AsyncGenerator[Step]:
        metadata = {
            "client_name": "Claude (connector doctor)",
            "redirect_uris": [REDIRECT_URIS[0]],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        answer = await web.ask("POST", "/register", json=metadata)
        client = str(answer.fields().get("client_id", ""))
        try:
            yield signing_in.check_registration(answer)
            if client:
                async for step in _with_client(web, client):
                    yield step
        finally:
            with anyio.CancelScope(shield=True):
                await self._remove_client(client)


async def _told(steps: AsyncGenerator[Step]) -> AsyncGenerator[Step]:
    """Yield the steps of a stage, and the failure that ended it."""
    try:
        async for step in steps:
            yield step
    except NoAnswer as failure:
        yield problem(
            "connection",
            str(failure),
            "A request got no answer.",
            "Look into the log of the proxy; the gateway's own log has what reached it.",
        )


async def _judge_stream(response: httpx2.Response, visit: Visit) -> Step:
    name, came_late = "streaming", True
    try:
        async for part in response.aiter_bytes():
            if came_late and part:
                came_late = b"data: 2" in part
                visit.heard.set()
    except httpx2.HTTPError as error:
        raise NoAnswer(type(error).__name__) from error
    if not came_late:
        return fine(name, "the first event of a stream arrives before the second is sent")
    return problem(
        name,
        "the first event of a stream arrives with the last one",
        "Answers are held back until they are complete, so progress and long calls do not work.",
        "Have the proxy not buffer answers (nginx: proxy_buffering off).",
    )


async def _challenges(web: Web) -> AsyncGenerator[Step]:
    for method in ("HEAD", "GET"):
        answer = await web.ask(method, ENDPOINT, agent=CALLING, headers=RPC)
        yield signing_in.check_unauthorized(f"{method} {ENDPOINT}", answer)
    answer = await web.ask("POST", ENDPOINT, agent=CALLING, headers=RPC, json=INITIALIZE)
    yield signing_in.check_challenge(answer, web.base, ENDPOINT)
    headers = {**RPC, "Authorization": f"Bearer {NOBODY}"}
    answer = await web.ask("POST", ENDPOINT, agent=CALLING, headers=headers, json=INITIALIZE)
    yield signing_in.check_bearer(answer)


async def _documents(web: Web) -> AsyncGenerator[Step]:
    for name, suffix in (("resource at the endpoint", ENDPOINT), ("resource at the root", "")):
        answer = await web.ask("GET", PROTECTED_RESOURCE + suffix)
        yield signing_in.check_resource(name, answer, web.base, ENDPOINT)
    for path in (*AUTHORIZATION_SERVER, AUTHORIZATION_SERVER[0] + ENDPOINT):
        name = path.removeprefix("/.well-known/")
        yield signing_in.check_server(name, await web.ask("GET", path), web.base)


async def _with_client(web: Web, client: str) -> AsyncGenerator[Step]:
    """Go up to the consent page, and make the mistakes that steer clients."""
    asked = _authorization(web.base, client)
    answer = await web.ask("GET", f"/authorize?{urlencode(asked)}")
    yield signing_in.check_authorize(answer, web.base)
    answer = await web.ask("GET", f"/authorize?{urlencode({**asked, 'redirect_uri': FOREIGN})}")
    yield signing_in.check_callback(answer)
    form = {
        "grant_type": "authorization_code",
        "code": "none",
        "redirect_uri": REDIRECT_URIS[0],
        "code_verifier": "v" * 43,
        "client_id": client,
    }
    answer = await web.ask("POST", "/token", data=form)
    yield signing_in.check_token("a wrong code", answer, status=400, error="invalid_grant")
    answer = await web.ask("POST", "/token", data={**form, "client_id": NOBODY})
    yield signing_in.check_token("an unknown client", answer, status=401, error="invalid_client")


def _authorization(base: str, client: str) -> dict[str, str]:
    challenge = hashlib.sha256(secrets.token_bytes(32)).digest()
    return {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT_URIS[0],
        "state": secrets.token_urlsafe(8),
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "resource": base + ENDPOINT,
    }
