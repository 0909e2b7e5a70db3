"""What tools answer about servers, their tools and their credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.sandbox_notice import sandbox_notice
from gateway.servers import CredentialStatus, ServerReport
from gateway.servers.fault import Fault, read_fault
from gateway.tool_names import exposed_names, live_tools
from gateway.tools.metric_views import HistoryView, MetricsView, view_metrics
from gateway.tools.views import iso_or_none
from sandboxes.policy import MIB, Network, NetworkMode
from supervisor.slots.instances import InstanceView
from supervisor.snapshot import ServerSnapshot


@dataclass(frozen=True, slots=True)
class ToolView:
    """A tool of a server."""

    name: str
    """How jobs and invoke_internal_mcp_tool call it."""
    description: str
    input_schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CredentialView:
    """A credential that a server reads; never its value."""

    key: str
    required: bool
    declared: bool
    is_set: bool
    masked: str | None
    description: str
    set_at: str | None
    key_id: str | None
    """The data key under which it is kept."""
    last_used_at: str | None
    """When a process of the server last got it."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server now."""

    name: str
    kind: str
    description: str
    enabled: bool
    state: str
    reason: str
    sandbox: str
    sandbox_notice: str | None
    """What is not confined, where the level is not the default."""
    network: str
    environment: str
    """shipped, or own: packages of its own."""
    environment_built_at: str | None
    environment_mb: float | None
    packages: list[str]
    generation: int
    pid: int | None
    start: str | None
    uptime_s: float | None
    restarts: int
    era: str | None
    calls: int
    errors: int
    in_flight: int
    instances: list[InstanceView]
    """Processes of single sessions and callers, beside `pid`."""
    last_exit: str | None
    rejected: str | None
    """Why newer code than that of the present process is not running."""
    refused_hosts: list[str]
    """The last ones it asked for without a grant."""
    bytes_out: int
    """Through the proxy for its hosts."""
    bytes_in: int
    metrics: MetricsView
    tools: list[str]
    missing_credentials: list[str]


@dataclass(frozen=True, slots=True)
class ServerList:
    """Servers by name, and one sentence for each folder that could not be read."""

    servers: list[ServerView]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class ServerDetail:
    """A server with its tools, credentials and code."""

    server: ServerView
    tools: list[ToolView]
    credentials: list[CredentialView]
    code: str | None
    stderr_tail: list[str]
    history: list[HistoryView]
    """Of its use: the last ten minutes and the last five hours."""


@dataclass(frozen=True, slots=True)
class FaultView:
    """The innermost line of the server's own code in the traceback that ended it."""

    error: str
    file: str
    line: int
    source: str


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What became of a change: `ok` is false when the server does not run as asked."""

    ok: bool
    message: str
    server: ServerView
    tools: list[ToolView]
    credentials: list[CredentialView]
    undeclared_hosts: list[str]
    """Hosts that the code names and that the server may not reach."""
    fault: FaultView | None
    """Where the code failed, if a traceback says so."""
    stderr_tail: list[str]
    version: int | None
    """The number of what was written; see list_server_versions."""


@dataclass(frozen=True, slots=True)
class CredentialList:
    """The credentials of one server."""

    server: str
    credentials: list[CredentialView]


@dataclass(frozen=True, slots=True)
class UnconfiguredServer:
    """A server that cannot start yet, and what it waits for."""

    server: str
    missing: list[CredentialView]


@dataclass(frozen=True, slots=True)
class UnconfiguredList:
    """Servers with a required credential that is not set."""

    servers: list[UnconfiguredServer]


@dataclass(frozen=True, slots=True)
class CredentialRequestAnswer:
    """A link for the owner."""

    message: str
    server: str
    key: str
    link: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class CredentialAnswer:
    """What became of a credential, and of the server that reads it."""

    message: str
    server: ServerView | None
    """None: it is not there any more."""
    credentials: list[CredentialView]


def view_server(report: ServerReport) -> ServerView:
    """Return a server as tools list it."""
    seen, recipe = report.snapshot, report.spec.recipe
    built = seen.environment
    return ServerView(
        name=seen.name,
        kind=seen.kind,
        description=report.spec.description,
        enabled=report.enabled,
        state=seen.state,
        reason=seen.reason,
        sandbox=seen.level,
        sandbox_notice=sandbox_notice(seen.level),
        network=_network(report.spec.network),
        environment="shipped" if recipe is None else "own",
        environment_built_at=iso_or_none(built.at) if built else None,
        environment_mb=round(built.bytes / MIB, 1) if built and built.bytes is not None else None,
        packages=list(seen.packages),
        generation=seen.generation,
        pid=seen.pid,
        start=seen.start,
        uptime_s=None if seen.uptime_s is None else round(seen.uptime_s, 3),
        restarts=seen.restarts,
        era=seen.era,
        calls=seen.calls,
        errors=seen.errors,
        in_flight=seen.in_flight,
        instances=list(seen.instances),
        last_exit=seen.last_exit,
        rejected=seen.rejected,
        refused_hosts=list(seen.refused_hosts),
        bytes_out=seen.bytes_out,
        bytes_in=seen.bytes_in,
        metrics=view_metrics(report.metrics),
        tools=[tool.name for tool in view_tools(seen)],
        missing_credentials=list(report.missing),
    )


def view_tools(snapshot: ServerSnapshot) -> list[ToolView]:
    """Return the tools of a server under the names by which they are called."""
    shown = exposed_names(live_tools((snapshot,)))
    by_tool = {name.tool: text for text, name in shown.items()}
    return [
        _view_tool(by_tool[str(tool["name"])], tool) for tool in snapshot.tools if "name" in tool
    ]


def view_credentials(statuses: tuple[CredentialStatus, ...]) -> list[CredentialView]:
    """Return credentials as tools show them."""
    return [
        CredentialView(
            key=status.key,
            required=status.required,
            declared=status.declared,
            is_set=status.masked is not None,
            masked=status.masked,
            description=status.description,
            set_at=iso_or_none(status.set_at),
            key_id=status.key_id,
            last_used_at=iso_or_none(status.last_used_at),
        )
        for status in statuses
    ]


def view_change(report: ServerReport, done: str) -> ServerAnswer:
    """Return the answer to a change that should have led to `done`, one sentence."""
    failure = report.failure
    fault = read_fault(failure.stderr_tail, report.spec.code_dir) if failure else None
    return ServerAnswer(
        ok=failure is None,
        message=done
        if failure is None
        else _why(report, f"{failure.sentence}{fault_in_words(fault)}"),
        server=view_server(report),
        tools=view_tools(report.snapshot),
        credentials=view_credentials(report.credentials),
        undeclared_hosts=list(report.undeclared_hosts),
        fault=view_fault(fault),
        stderr_tail=list(failure.stderr_tail) if failure else [],
        version=report.version,
    )


def _why(report: ServerReport, sentence: str) -> str:
    return (
        f"{sentence.rstrip('.')}; set it with set_server_credential."
        if report.missing
        else sentence
    )


def view_fault(fault: Fault | None) -> FaultView | None:
    """Return a fault as tools show it."""
    return fault and FaultView(fault.error, fault.file, fault.line, fault.source)


def fault_in_words(fault: Fault | None) -> str:
    """Return a sentence to go after another one; '' without a fault."""
    if fault is None:
        return ""
    return f" {fault.error} ({fault.file}, line {fault.line}: `{fault.source}`)."


def _view_tool(name: str, tool: Mapping[str, Any]) -> ToolView:
    return ToolView(name, str(tool.get("description") or ""), dict(tool.get("inputSchema") or {}))


def _network(network: Network) -> str:
    if network.mode is NetworkMode.HOSTS:
        return f"hosts: {', '.join(network.hosts)}"
    return network.mode.value
