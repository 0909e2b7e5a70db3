"""What a browser sees: the health of every server, kept current without reloading."""

from gateway.dashboard.app import Dashboard, Sources, build_dashboard
from gateway.dashboard.login import Login
from gateway.dashboard.sessions import Sessions

__all__ = ["Dashboard", "Login", "Sessions", "Sources", "build_dashboard"]
