"""What a gateway tells those who collect, of a workload that is known; and how it logs."""

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import yaml
from anyio import to_thread
from prometheus_client.parser import text_string_to_metric_families

from gateway.cli.call import value_of
from gateway.cli.client import Refused, call_tool
from gateway.local import LiveGateway
from gateway.standin import Call, ModelRequest, Reply, Say, StandIn
from gateway.variables import CHECKOUT
from tests.cli.gateways import Place, make_place
from tests.e2e.conftest import wait_ready
from tests.telemetry.collector import Collector, Span, collecting

pytestmark = pytest.mark.timeout(180)

SERVER = Path(__file__).with_name("told_server.py")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SOON_S = 60.0
LOOK_EVERY_S = 0.05
KEY = "key-of-the-collector"
CALLS = {"told": "ok", "fail": "tool_error", "die": "died"}


@dataclass
class Story:
    """What was done, and what of it arrived."""

    place: Place
    collector: Collector
    told: dict[str, Any]
    """What the server was told of the trace of a call that named one."""
    run: str
    scraped: dict[str, dict[frozenset[tuple[str, str]], float]]
    refused: dict[str, int]
    """Status by who asked for the figures."""

    def counted(self, statement: str) -> Counter[Any]:
        """Return the rows of a statement that counts, by all but the last column."""
        with closing(sqlite3.connect(self.place.home / "jobs.db")) as database:
            return Counter({row[:-1]: row[-1] for row in database.execute(statement)})

    def spans(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.collector.spans if span.name == name]

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged."""
        text = (self.place.folder / "gateway.log").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


def use_the_tool(request: ModelRequest) -> Reply:
    """Call the server once, and report."""
    return Say("done") if request.tool_results else Call("mcp__told__told", {})


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Generator[Story]:
    """One gateway with everything on; it has ended when the tests look."""
    place = make_place(tmp_path_factory.mktemp("telemetry"))
    code = place.folder / "fixed" / "told"
    code.mkdir(parents=True, exist_ok=True)
    shutil.copy(SERVER, code / "server.py")
    (code / "metadata.json").write_text('{"start": "eager"}', "utf-8")
    # In a thread of its own: the tests' own loop is running already where they share a browser.
    with collecting() as collector, ThreadPoolExecutor(1) as thread:
        yield thread.submit(anyio.run, play, place, collector, code / "server.py").result()


async def play(place: Place, collector: Collector, code: Path) -> Story:
    """Have a gateway do everything, and end."""
    async with StandIn(use_the_tool) as model:
        opened = place.gateway(
            SANDBOX="off",
            METRICS="on",
            LOG_FORMAT="json",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"api-key={KEY}",
            ANTHROPIC_API_KEY="sk-ant-of-this-test",
            ANTHROPIC_BASE_URL=model.url,
        )
        live = await to_thread.run_sync(opened.__enter__)
        try:
            told, run = await do_everything(live, code)
            scraped = await figures(live, await token(live, "read"))
            refused = await refusals(live)
        finally:
            await to_thread.run_sync(opened.__exit__, None, None, None)
    return Story(place, collector, told, run, scraped, refused)


async def call(live: LiveGateway, path: str, called: str, /, **arguments: object) -> Any:
    """Call a tool at an endpoint."""
    return await to_thread.run_sync(call_tool, live, path, called, arguments)


async def do_everything(live: LiveGateway, code: Path) -> tuple[dict[str, Any], str]:
    """Do a bit of everything; return what a server was told, and the id of a run."""
    await to_thread.run_sync(wait_ready, live)
    for tool in ("told", "told", "fail"):
        await call(live, "/servers/told/mcp", tool)
    await call(live, "/mcp", "invoke_internal_mcp_tool", tool="mcp__told__told", payload={})
    traced = await call_in_trace(live)
    await dies(live)
    await deliver(live)
    run = value_of(await call(live, "/mcp", "run_prompt", prompt="Go.", tools=["mcp__told__told"]))
    run_id = run["run"]["id"]
    with anyio.fail_after(SOON_S):
        while (await state(live, run_id)) != "succeeded":  # noqa: ASYNC110 - another process
            await anyio.sleep(LOOK_EVERY_S)
    # Saved code takes over by itself; a call is answered by it once it has.
    code.write_text(code.read_text("utf-8").replace('"1"', '"2"'), "utf-8")
    with anyio.fail_after(SOON_S):
        while not await figure(live, "claude_runner_server_reloads_total", result="done"):  # noqa: ASYNC110 - another process
            await anyio.sleep(LOOK_EVERY_S)
    return json.loads(traced["content"][0]["text"]), run_id


async def call_in_trace(live: LiveGateway) -> dict[str, Any]:
    """Call a tool as a client that is in a trace."""
    async with httpx2.AsyncClient(base_url=live.url, timeout=30, trust_env=False) as http:
        params = {
            "name": "told",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "traceparent": f"00-{TRACE}-{SPAN}-01",
            },
        }
        answer = await http.post(
            "/servers/told/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
            headers={
                "Authorization": f"Bearer {live.token}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": "tools/call",
                "Mcp-Name": "told",
            },
        )
    return answer.json()["result"]


async def deliver(live: LiveGateway) -> None:
    """Have a webhook that is switched off refuse a delivery."""
    made = await call(
        live, "/mcp", "create_webhook", name="off", prompt_template="Go.", enabled=False
    )
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        answer = await http.post(value_of(made)["webhook"]["url"], json={})
    assert answer.is_client_error


async def dies(live: LiveGateway) -> None:
    """Call the tool by which the server dies, and wait until it is back."""
    with pytest.raises(Refused, match="exit code 3"):
        await call(live, "/servers/told/mcp", "die")
    with anyio.fail_after(SOON_S):
        while await figure(live, "claude_runner_server_generation", server="told") < 2:  # noqa: ASYNC110 - another process
            await anyio.sleep(LOOK_EVERY_S)
        await call(live, "/servers/told/mcp", "told")


async def state(live: LiveGateway, run_id: str) -> str:
    """Return the status of a run."""
    return value_of(await call(live, "/mcp", "get_run", run_id=run_id))["run"]["status"]


async def token(live: LiveGateway, scope: str, *servers: str) -> str:
    """Return the value of a new token; with servers named it is for these alone."""
    made = await to_thread.run_sync(
        lambda: httpx2.post(
            f"{live.url}/local/tokens",
            headers={"Authorization": f"Bearer {live.token}"},
            json={"name": f"{scope} {servers}", "scope": scope, "servers": servers},
            trust_env=False,
        )
    )
    return made.json()["token"]


async def page(live: LiveGateway, bearer: str | None, method: str = "GET") -> httpx2.Response:
    """Ask for the figures."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    async with httpx2.AsyncClient(base_url=live.url, timeout=30, trust_env=False) as http:
        return await http.request(method, "/metrics", headers=headers)


async def figures(
    live: LiveGateway, bearer: str
) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Return what Prometheus reads: values by name and labels."""
    answer = await page(live, bearer)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if not k.startswith("otel_")}
            found.setdefault(sample.name, {})[frozenset(labels.items())] = sample.value
    return found


async def figure(live: LiveGateway, name: str, **labels: str) -> float:
    """Return the sum of the values of a name that have these labels."""
    found = (await figures(live, live.token)).get(name, {})
    return sum(value for have, value in found.items() if labels.items() <= dict(have).items())


async def refusals(live: LiveGateway) -> dict[str, int]:
    """Return the statuses that others get."""
    return {
        "nobody": (await page(live, None)).status_code,
        "a wrong token": (await page(live, "wrong")).status_code,
        "a token for one server": (await page(live, await token(live, "run", "told"))).status_code,
        "POST": (await page(live, live.token, "POST")).status_code,
    }


def test_calls_arrive_with_the_numbers_of_the_audit_log(story: Story) -> None:
    """Issue 9, Shows: by server, tool and outcome."""
    kept = story.counted(
        "SELECT server, tool, outcome, count(*) FROM audit WHERE tool != '' GROUP BY 1, 2, 3"
    )
    sent = Counter(
        {
            tuple(dict(have)[name] for name in ("server", "tool", "outcome")): int(value)
            for (name, have), value in story.collector.figures.items()
            if name == "claude_runner.calls"
        }
    )
    assert sent == kept
    assert {tool: outcome for _, tool, outcome in kept} == CALLS
    assert kept["told", "told", "ok"] >= 6


def test_runs_arrive_with_the_numbers_of_the_database(story: Story) -> None:
    """Issue 9, Shows: how they ended, and their tokens."""
    figures = story.collector.figures
    kept = story.counted("SELECT trigger, status, count(*) FROM runs GROUP BY 1, 2")
    assert kept == Counter({("quick", "succeeded"): 1})
    labels = frozenset({"trigger": "quick", "status": "succeeded"}.items())
    assert figures["claude_runner.runs", labels] == 1
    [(tokens_in, tokens_out)] = story.counted("SELECT input_tokens, output_tokens, 1 FROM runs")
    for direction, tokens in (("input", tokens_in), ("output", tokens_out)):
        key = ("claude_runner.run.tokens", frozenset({"direction": direction}.items()))
        assert figures[key] == tokens


def test_prometheus_reads_the_same_names_and_state(story: Story) -> None:
    """Issue 9, 5: and what the process itself uses."""
    told = {("server", "told"), ("state", "ready")}
    assert story.scraped["claude_runner_server_state"][frozenset(told)] == 1
    assert sum(story.scraped["claude_runner_server_deaths_total"].values()) == 1
    assert story.scraped["claude_runner_runs_live"][frozenset()] == 0
    assert {"process_cpu_seconds_total", "claude_runner_call_duration_seconds_bucket"} <= set(
        story.scraped
    )


def test_every_span_of_a_call_has_how_it_went(story: Story) -> None:
    """Issue 9, Shows: as many spans as entries."""
    kept = story.counted("SELECT tool, outcome, count(*) FROM audit WHERE tool != '' GROUP BY 1, 2")
    spans = Counter(
        (span.attributes["gen_ai.tool.name"], span.attributes["claude_runner.outcome"])
        for span in story.collector.spans
        if span.attributes.get("mcp.method.name") == "tools/call"
        and "gen_ai.tool.name" in span.attributes
    )
    assert spans == kept
    assert {span.failed for span in story.spans("tools/call fail")} == {"tool_error"}
    assert {span.failed for span in story.spans("tools/call told")} == {""}


def test_a_trace_goes_through_us_to_the_server(story: Story) -> None:
    """Issue 9, 5: our span is between the caller's and what the server makes of it."""
    [ours] = [span for span in story.collector.spans if span.trace_id == TRACE]
    assert ours.parent_id == SPAN
    assert story.told["traceparent"] == f"00-{TRACE}-{ours.span_id}-01"


def test_the_calls_of_a_run_are_below_it(story: Story) -> None:
    """Issue 9, 5: one trace for all that a run does."""
    [run] = story.spans("run quick")
    assert run.attributes["claude_runner.run.id"] == story.run
    below = [span for span in story.collector.spans if span.parent_id == run.span_id]
    assert "tools/call told" in {span.name for span in below}
    assert {span.trace_id for span in below} == {run.trace_id}


def test_starts_restarts_and_reloads_have_spans(story: Story) -> None:
    """Issue 9, 5: a restart lasts from the death until there is somebody again."""
    assert story.spans("server start")
    [restart], [reload] = story.spans("server restart"), story.spans("server reload")
    assert restart.attributes["claude_runner.server"] == "told"
    assert "3" in restart.attributes["claude_runner.reason"]
    assert reload.failed == ""


def test_who_collects_is_told_who_tells(story: Story) -> None:
    """OpenTelemetry resource conventions; the headers go with every sending."""
    assert {each["service.name"] for each in story.collector.resources} == {"claude-runner"}
    assert {each.get("api-key") for each in story.collector.headers} == {KEY}


def test_lines_are_objects_that_say_what_they_are_about(story: Story) -> None:
    """Issue 9, 5: server, generation and run; and no secret."""
    lines = story.lines()
    about_runs = [line for line in lines if line.get("run") == story.run]
    assert any("ended as succeeded" in line["message"] for line in about_runs)
    assert any(line.get("server") == "told" and line.get("generation") == 1 for line in lines)
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert KEY not in json.dumps(lines)


def test_figures_are_for_those_who_may_read(story: Story) -> None:
    """Ours: names of servers and tools are nobody's business."""
    assert story.refused == {
        "nobody": 401,
        "a wrong token": 401,
        "a token for one server": 403,
        "POST": 405,
    }


NAMED = re.compile(r"\b(?:claude_runner|process)_\w+")


@pytest.mark.parametrize(
    "file",
    [
        "deploy/telemetry/grafana.json",
        "deploy/telemetry/alerts.yml",
        "deploy/telemetry/prometheus.yml",
        "docs/telemetry.md",
    ],
)
def test_shipped_dashboards_alerts_and_docs_name_figures_that_there_are(
    story: Story, file: str
) -> None:
    """Issue 9, 5: a panel of a name that nobody writes stays empty for ever."""
    text = (CHECKOUT / file).read_text("utf-8")
    written = set(story.scraped) | {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in story.scraped
    }
    assert set(NAMED.findall(text)) - written == set()
    if file != "docs/telemetry.md":
        # JSON is YAML too.
        assert set(yaml.safe_load(text)) & {"panels", "groups", "scrape_configs"}
