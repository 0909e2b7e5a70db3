"""Where the owner looks at new code that waits: a page, and the routes of the command line.

Above: the dashboard and `/local`. Below: `gateway.servers`, which holds the code back.
"""

from gateway.code_changes.pages import ChangePages
from gateway.code_changes.routes import build_change_routes

__all__ = ["ChangePages", "build_change_routes"]
