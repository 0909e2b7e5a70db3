"""Steps that need no request: the tunnel, the owner's login."""

from collections.abc import Callable, Iterator

from gateway.connector.report import Step, fine, problem, warning
from gateway.reach.opening import Reach
from gateway.reach.tunnel import TunnelState
from gateway.settings import Settings


def further_steps(settings: Settings, reach: Reach) -> Callable[[], tuple[Step, ...]]:
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

    return lambda: tuple(look())
