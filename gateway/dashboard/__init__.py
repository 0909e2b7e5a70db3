"""What a browser sees: the health of every server, kept current without reloading."""

from gateway.auth.origins import Origins, allowed_origins
from gateway.dashboard.app import Dashboard, Sources, build_dashboard
from gateway.dashboard.sessions import Sessions

__all__ = ["Dashboard", "Origins", "Sessions", "Sources", "allowed_origins", "build_dashboard"]
