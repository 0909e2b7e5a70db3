"""The instruments: what is counted, in which unit, under which names.

Counted is what the audit log has entries of, so that both say the same. Kept in one set of
instruments, which Prometheus reads and OpenTelemetry sends.
Source: OpenTelemetry metrics API; Prometheus' naming follows from its exporter.
"""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import Meter, Observation

from gateway.audit.relayed import AUDITED
from gateway.domain.audit import Actor, AuditEntry
from gateway.domain.run import Run
from gateway.telemetry.seen import Seen
from supervisor.events import ChildExited, ChildReady, Event, Reloaded, ReloadRejected, ServerState

PREFIX = "claude_runner"
CALL_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
RUN_S = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


class Figures:
    """Counts what ended, and shows what is."""

    def __init__(self, meter: Meter) -> None:
        self.seen = Seen()
        counter, histogram = meter.create_counter, meter.create_histogram
        self._calls = counter(f"{PREFIX}.calls", description="Requests to servers that have ended.")
        self._call_s = histogram(
            f"{PREFIX}.call.duration",
            "s",
            "How long requests to servers took.",
            explicit_bucket_boundaries_advisory=CALL_S,
        )
        self._actions = counter(
            f"{PREFIX}.actions", description="What else people and programs asked for."
        )
        self._deliveries = counter(
            f"{PREFIX}.webhook.deliveries", description="Deliveries to webhooks."
        )
        self._runs = counter(f"{PREFIX}.runs", description="Runs that have ended.")
        self._run_s = histogram(
            f"{PREFIX}.run.duration",
            "s",
            "How long runs took that were started.",
            explicit_bucket_boundaries_advisory=RUN_S,
        )
        self._cost = counter(f"{PREFIX}.run.cost", "USD", "What ended runs cost.")
        self._tokens = counter(
            f"{PREFIX}.run.tokens", description="Tokens that ended runs used at the model."
        )
        self._deaths = counter(
            f"{PREFIX}.server.deaths", description="Processes of servers that ended unasked."
        )
        self._starts = histogram(
            f"{PREFIX}.server.start.duration",
            "s",
            "How long servers took until they were ready.",
            explicit_bucket_boundaries_advisory=CALL_S,
        )
        self._reloads = counter(
            f"{PREFIX}.server.reloads", description="New code that took over, or was rejected."
        )
        self._observe(meter)

    def entry(self, entry: AuditEntry) -> None:
        """Count what an entry of the audit log is about."""
        outcome = {"outcome": str(entry.outcome)}
        if entry.tool or entry.action in AUDITED:
            self._calls.add(1, {"server": entry.server, "tool": entry.tool, **outcome})
            self._call_s.record(entry.took_us / 1e6, {"server": entry.server})
        elif entry.actor is Actor.WEBHOOK:
            self._deliveries.add(1, outcome)
        else:
            who = {"action": entry.action, "actor": str(entry.actor)}
            self._actions.add(1, {**who, **outcome})

    def run_ended(self, run: Run) -> None:
        """Count a run that has ended."""
        trigger = {"trigger": str(run.trigger)}
        self._runs.add(1, {**trigger, "status": str(run.status)})
        if run.started_at is not None and run.finished_at is not None:
            self._run_s.record((run.finished_at - run.started_at) / 1000, trigger)
        self._cost.add((run.cost_micro_usd or 0) / 1e6, trigger)
        self._tokens.add(run.input_tokens or 0, {"direction": "input"})
        self._tokens.add(run.output_tokens or 0, {"direction": "output"})

    def hear(self, event: Event) -> None:
        """Count what the supervisor tells."""
        match event:
            case ChildReady():
                self._starts.record(event.took_s, {"server": event.server})
            case ChildExited(wanted=False):
                self._deaths.add(1, {"server": event.server})
            case Reloaded():
                self._reloads.add(1, {"server": event.server, "result": "done"})
            case ReloadRejected():
                self._reloads.add(1, {"server": event.server, "result": "rejected"})
            case _:
                return

    def _observe(self, meter: Meter) -> None:
        def gauge(name: str, unit: str, description: str, look: Look) -> None:
            meter.create_observable_gauge(
                f"{PREFIX}.{name}", [lambda _: look(self.seen)], unit, description
            )

        gauge("server.state", "", "1 for the state that a server is in.", _states)
        gauge("server.generation", "", "Counts the processes that a server had.", _generations)
        gauge("server.in_flight", "", "Calls that a server has not answered yet.", _in_flight)
        gauge("server.cpu", "1", "Processors that a server uses.", _cpu)
        gauge("server.memory", "By", "Memory that would be free without it.", _memory)
        gauge("runs.live", "", "Runs that are going on.", _live)
        gauge("runs.queued", "", "Runs that wait to begin.", _queued)


Look = Callable[[Seen], Iterable[Observation]]


def _states(seen: Seen) -> Iterable[Observation]:
    for server, _ in seen.servers:
        for state in ServerState:
            labels = {"server": server.name, "state": str(state)}
            yield Observation(int(server.state is state), labels)


def _generations(seen: Seen) -> Iterable[Observation]:
    return (Observation(one.generation, {"server": one.name}) for one, _ in seen.servers)


def _in_flight(seen: Seen) -> Iterable[Observation]:
    return (Observation(one.in_flight, {"server": one.name}) for one, _ in seen.servers)


def _cpu(seen: Seen) -> Iterable[Observation]:
    return (
        Observation((used.cpu_percent or 0.0) / 100, {"server": one.name})
        for one, used in seen.servers
    )


def _memory(seen: Seen) -> Iterable[Observation]:
    return (
        Observation(used.private_bytes or 0, {"server": one.name}) for one, used in seen.servers
    )


def _live(seen: Seen) -> Iterable[Observation]:
    return (Observation(seen.live_runs),)


def _queued(seen: Seen) -> Iterable[Observation]:
    return (Observation(seen.queued_runs),)
