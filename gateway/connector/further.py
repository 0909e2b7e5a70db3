"""Steps that need no request: the tunnel, the owner's login, sign-ins that failed lately."""

from collections.abc import Callable, Iterator, Sequence

from gateway.connector.report import Step, fine, problem, warning
from gateway.connector.web import DOCTOR, shown
from gateway.domain.clock import utc_ms
from gateway.oauth.journal import Failure
from gateway.reach.opening import Reach
from gateway.reach.tunnel import TunnelState
from gateway.settings import Settings

RECENT_S = 3600


def further_steps(
    settings: Settings, reach: Reach, failures: Callable[[], tuple[Failure, ...]]
) -> Callable[[], tuple[Step, ...]]:
    """Return what looks at these, each time anew."""

    def look() -> Iterator[Step]:
        if reach.tunnel is not None:
            status = reach.tunnel.status
            if status.state is TunnelState.OPEN:
                yield fine("tunnel", status.sentence())
            else:
                yield problem(
                    "tunnel",
                    status.sentence(),
                    "Nobody comes in by the tunnel.",
                    "Do what the sentence says; the gateway goes on trying.",
                )
        if settings.dashboard_password is None and reach.origins.public_origin is not None:
            yield warning(
                "login",
                "DASHBOARD_PASSWORD is not set",
                "The owner can consent only in a browser that was opened with a one-time link.",
                "Set DASHBOARD_USERNAME and DASHBOARD_PASSWORD.",
            )

        yield check_failures(failures(), utc_ms())

    return lambda: tuple(look())


def check_failures(failures: Sequence[Failure], now_ms: int) -> Step:
    """Judge what the journal remembers, but for what doctors did."""
    name, since = "recent sign-ins", now_ms - RECENT_S * 1000
    recent = [
        each for each in failures if each.at > since and DOCTOR not in each.facts.get("agent", "")
    ]
    if not recent:
        return fine(name, "no request to sign in failed within the last hour")
    last = recent[-1]
    error = last.facts.get("error", "")
    return warning(
        name,
        f"{last.method} {shown(last.path)}: {last.status} {shown(error)} by "
        f"{shown(last.facts.get('agent', 'somebody'))}, id {last.id}",
        f"Requests to sign in that failed within the last hour: {len(recent)}; this is the newest.",
        f"Look for {last.id} in the gateway's log.",
    )
