"""Every page of the dashboard, by the router's rule, and a gateway that has something on each."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2
from anyio import to_thread
from hypercorn.asyncio import serve
from hypercorn.config import Config
from playwright.async_api import APIRequestContext

from gateway.cli.client import call_tool
from gateway.domain.delivery import Outcome
from gateway.domain.notice import USUAL, ChannelKind
from gateway.domain.run import RunMessage, RunResult, RunStatus, Trigger
from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.listening import listen
from gateway.local import LiveGateway
from gateway.main import Gateway, build
from gateway.notify.apprise_process import Apprise
from gateway.notify.channels import Channels, Wish
from gateway.redaction import open_redactor
from gateway.secret import Secret
from gateway.server_pages.answers import MAX_TEXT
from gateway.servers import Draft
from gateway.settings import Settings, load
from gateway.store import Store
from gateway.vault import KeySources, Vault
from gateway.webhooks.hooks import Hooks
from supervisor.children.call import Notice
from supervisor.redaction import Redactor
from supervisor.spec import ServerKind
from tests.dashboard.parts import token_of
from tests.oauth.parts import Program
from tests.store.examples import delivery, job, run, webhook
from tests.tools.conftest import write_server
from tests.tools.servers import server_code

SERVER, RUN, JOB, WEBHOOK = "x", "run_seen", "job_seen", "webhook_seen"
HOSTILE = "x'\"></textarea></pre></script><img src=x onerror=alert(1)><script>alert(2)</script>"
"""What strangers and models write: shown as text, run by nobody."""
PAGES = {
    "/": "/",
    "/access": "/access",
    "/approvals": "/approvals",
    "/audit": "/audit",
    "/changes": "/changes",
    "/connector": "/connector",
    "/costs": "/costs",
    "/doctor": "/doctor",
    "/jobs": "/jobs",
    "/jobs/new": "/jobs/new",
    "/jobs/<job_id>": f"/jobs/{JOB}",
    "/jobs/<job_id>/edit": f"/jobs/{JOB}/edit",
    "/login": "/login",
    "/notifications": "/notifications",
    "/notifications/new": "/notifications/new",
    "/notifications/<channel>": "/notifications/seen",
    "/nodes": "/nodes",
    "/quick-run": "/quick-run",
    "/runs": "/runs",
    "/runs/<run_id>": f"/runs/{RUN}",
    "/servers": "/servers",
    "/settings": "/settings",
    "/settings/<name>": "/settings/ANTHROPIC_API_KEY",
    "/tools": "/tools?q=send",
    "/server/<name>": f"/server/{SERVER}",
    "/servers/new": "/servers/new",
    "/server/<name>/code": f"/server/{SERVER}/code",
    "/server/<name>/credentials": f"/server/{SERVER}/credentials",
    "/server/<name>/logs": f"/server/{SERVER}/logs",
    "/server/<name>/policy": f"/server/{SERVER}/policy",
    "/server/<name>/remove": f"/server/{SERVER}/remove",
    "/server/<name>/tool": f"/server/{SERVER}/tool?tool=send",
    "/server/<name>/tools": f"/server/{SERVER}/tools",
    "/server/<name>/versions": f"/server/{SERVER}/versions",
    "/server/<name>/versions/<int:number>": f"/server/{SERVER}/versions/1",
    "/webhooks": "/webhooks",
    "/webhooks/new": "/webhooks/new",
    "/webhooks/<webhook_id>": f"/webhooks/{WEBHOOK}",
    "/webhooks/<webhook_id>/edit": f"/webhooks/{WEBHOOK}/edit",
}
"""Where each is opened. Every page belongs in here, or into what `made_pages` makes."""
MADE = {"/authorize", "/oauth/authorize", "/credential/<link>", "/changes/<server>/<int:number>"}
"""Pages that something else leads to, each time another address."""
OPENED_ELSEWHERE = {"/server/<name>/tool/result": "tests/tools/test_long_calls.py"}
"""Pages of what a browser was answered before, and who opens them."""
_FORM = "is filled in"
_FIXED = "shows what does not change"
NOT_LIVE = {
    "/authorize": _FORM,
    "/changes/<server>/<int:number>": "shows one version, which does not change",
    "/connector": "says how to connect",
    "/credential/<link>": _FORM,
    "/doctor": "looks when it is asked",
    "/jobs/<job_id>/edit": _FORM,
    "/jobs/new": _FORM,
    "/login": _FORM,
    "/notifications/<channel>": _FORM,
    "/notifications/new": _FORM,
    "/oauth/authorize": _FORM,
    "/quick-run": _FORM,
    "/runs/<run_id>": "this one has ended",
    "/server/<name>/code": _FORM,
    "/server/<name>/credentials": _FORM,
    "/server/<name>/policy": _FORM,
    "/server/<name>/remove": _FORM,
    "/server/<name>/tool": _FORM,
    "/server/<name>/versions": "lists what an edit adds to",
    "/server/<name>/versions/<int:number>": _FIXED,
    "/servers/new": _FORM,
    "/settings": "changes by the owner's own hand",
    "/settings/<name>": _FORM,
    "/tools": "finds what is asked for",
    "/webhooks/<webhook_id>/edit": _FORM,
    "/webhooks/new": _FORM,
}
"""Pages that follow nothing, and why; all others show what changes while they are open."""
NO_PAGES = {
    "/audit.jsonl",
    "/events",
    "/jobs/times",
    "/runs.csv",
    "/runs.jsonl",
    "/runs/<run_id>/events",
    "/runs/<run_id>/files/<int:attempt>/<int:number>",
    "/server/<name>/logs/events",
    "/static/<digest>/<path:name>",
}
"""What no person looks at."""
NOW = 1_795_330_000_000
TOOLS = {"send": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}}
MAILER = "mailer"
MAILER_CODE = server_code(
    {"show": {"type": "object"}}, 'os.environ.get("SMTP_PASSWORD"); return {}'
)
BODY = """
text = "sent" * (MANY if arguments.get("to") == "everybody" else 1)
return {"content": [{"type": "text", "text": text}]}
""".replace("MANY", str(MAX_TEXT))
SAID = '{"content": [{"text": "Good morning."}]}'


@dataclass(frozen=True, slots=True)
class Seen:
    """A gateway that is served, and its address."""

    gateway: Gateway
    url: str
    pages: Mapping[str, str]
    """Where each page is opened, by rule."""


@asynccontextmanager
async def serve_gateway(folder: Path) -> AsyncGenerator[Seen]:
    """Serve a gateway in this process that has a server, a job and a run."""
    for name in ("fixed", "dynamic"):
        (folder / name).mkdir()
    write_server(folder / "dynamic", SERVER, server_code(TOOLS, BODY), enabled=True)
    settings = load(
        {
            "CLAUDE_RUNNER_HOME": str(folder / "home"),
            "FIXED_SERVERS_DIR": str(folder / "fixed"),
            "DYNAMIC_SERVERS_DIR": str(folder / "dynamic"),
            "SANDBOX": "off",
            "CODE_CHANGES": "approve",
        },
        folder / ".env",
    )
    await _seed(settings)
    ending = anyio.Event()
    with listen("127.0.0.1", 0) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with build(settings, url, open_redactor(settings)) as gateway:
            await gateway.servers.disk.load_all()
            # Its tools are known from here on, and so are the pages that show them.
            await gateway.servers.enable(SERVER, ServerKind.DYNAMIC)
            await gateway.servers.versions.look(SERVER, rejected="")
            config = Config()
            config.bind = [f"fd://{sock.detach()}"]
            config.graceful_timeout = 1.0
            async with gateway.router.running(), anyio.create_task_group() as group:
                group.start_soon(
                    lambda: serve(gateway.app, config, shutdown_trigger=ending.wait)  # pyright: ignore[reportArgumentType] - an ASGI application
                )
                yield Seen(gateway, url, {**PAGES, **await made_pages(gateway, url)})
                gateway.dashboard.live.close()
                ending.set()


async def made_pages(gateway: Gateway, url: str) -> dict[str, str]:
    """Have a client ask for access, a tool for a secret, and code of a server with one wait."""
    live = LiveGateway(0, url, gateway.guard.make_local_token(), "")

    async def call(tool: str, **arguments: str) -> dict[str, Any]:
        called = await to_thread.run_sync(call_tool, live, "/mcp", tool, arguments)
        return called["structuredContent"]

    await call("create_mcp_server", name=MAILER, code=MAILER_CODE)
    asked = {"server": MAILER, "key": "SMTP_PASSWORD"}
    link = (await call("request_credential", **asked))["link"]
    await call("set_server_credential", value="correct horse", **asked)
    held = await call("update_mcp_server", name=MAILER, code=f"{MAILER_CODE}\n# {HOSTILE}\n")
    async with httpx2.AsyncClient(trust_env=False) as http:
        program = Program(url, http)
        await program.register(client_name=HOSTILE[:60])
    return {
        "/authorize": program.authorize_url().removeprefix(url),
        "/oauth/authorize": program.authorize_url("/oauth/authorize").removeprefix(url),
        "/credential/<link>": urlsplit(link).path,
        "/changes/<server>/<int:number>": f"/changes/{MAILER}/{held['version']}",
    }


async def post(
    seen: Seen, client: APIRequestContext, path: str, form: Mapping[str, str], *, page: str
) -> str:
    """Send a form of a page; return where the browser is sent."""
    token = token_of(await (await client.get(f"{seen.url}{page}")).text())
    fields: dict[str, str | float | bool] = {"form_token": token, **form}
    answer = await client.post(f"{seen.url}{path}", form=fields, max_redirects=0)
    assert answer.status == 303, await answer.text()
    return answer.headers["location"]


async def prepare_actions(seen: Seen, client: APIRequestContext) -> str:
    """Bring about what pages offer actions on; return where the browser was sent meanwhile."""
    gateway, page = seen.gateway, f"/server/{SERVER}/tool?tool=send&json=1"
    code = server_code(TOOLS, BODY)
    await gateway.servers.create("y", Draft(code), enable=False, author="owner")
    await gateway.servers.update(SERVER, Draft(description="Another"), author="owner")
    await post(seen, client, f"/jobs/{JOB}/run", {}, page=f"/jobs/{JOB}")
    key = {"key": "KEY", "value": "a secret of it"}
    await post(
        seen, client, f"/server/{SERVER}/credentials", key, page=f"/server/{SERVER}/credentials"
    )

    async def stay(_: Callable[[Notice], None]) -> None:
        await anyio.sleep_forever()

    slow = gateway.calls.start("page:owner", f"mcp__{SERVER}__send", stay)
    gateway.calls.hand_over(slow)
    shown = await (await client.get(f"{seen.url}{page}")).text()
    (definition,) = re.findall(r'"definition" value="(\w+)"', shown)
    form = {"tool": "send", "definition": definition, "payload": '{"to": "everybody"}'}
    return await post(seen, client, f"/server/{SERVER}/tool", form, page=page)


async def _seed(settings: Settings) -> None:
    async with Store.open(None, path=settings.home / "jobs.db") as store:
        await _seed_hostile(store, settings)
        await store.jobs.add(job(id=JOB, tools=("Read",), servers=(), next_fire_at=None))
        await store.runs.add(run(id=RUN, job_id=JOB, created_at=1_795_330_000_000))
        claimed = await store.runs.claim(RUN, 1_795_330_001_000)
        assert claimed is not None and claimed.status is RunStatus.STARTING
        await store.runs.append_messages(
            [RunMessage(RUN, 0, "assistant", SAID, at=1_795_330_002_000)]
        )
        done = RunResult(RunStatus.SUCCEEDED, output="Good morning.", cost_micro_usd=12_300)
        await store.runs.finish(RUN, claimed.attempt, done, now=1_795_330_003_000)
        kept = RunFile(RUN, claimed.attempt, 0, HOSTILE, 5, "text/plain", "ab")
        counts = RunFileSet(RUN, claimed.attempt, 1_795_330_003_000, kept=1, bytes=5)
        assert await store.run_files.add(LeftFiles(counts, (kept,)))
        await store.fire_tokens.put(JOB, "hash", 1_795_330_000_000)


async def _seed_hostile(store: Store, settings: Settings) -> None:
    """Store what strangers write: a webhook with its log, a prompt, what a channel failed with."""
    vault = await Vault.open(KeySources(settings.master_key_file), store.data_keys)
    hooks = Hooks(store, vault, Redactor(), now_ms=lambda: NOW, own_url=lambda: "http://x.test")
    hook = webhook(id=WEBHOOK, name=HOSTILE, prompt_template=HOSTILE, tools=("Bash",), servers=())
    await hooks.add(hook)
    lines = [
        delivery(
            webhook_id=WEBHOOK,
            received_at=NOW,
            outcome=each,
            sender=HOSTILE,
            content_type=HOSTILE,
        )
        for each in (Outcome.MISSING, Outcome.BAD_SIGNATURE)
    ]
    await store.deliveries.settle([], lines, now=NOW, max_queued=1)
    await store.runs.add(run(trigger=Trigger.QUICK, prompt=HOSTILE, status=RunStatus.CANCELLED))
    apprise = Apprise({}, anyio.CapacityLimiter(1))
    channels = Channels(store, vault, Redactor(), apprise, lambda: NOW)
    for name in ("seen", HOSTILE[:100]):
        await channels.add(Wish(name, ChannelKind.SLACK, Secret("http://127.0.0.1:9/"), USUAL))
