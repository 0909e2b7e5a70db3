"""Where people see runs: the page of a run, its live stream, the routes of the command line.

Above: the dashboard and `/local`. Below: `gateway.jobs`, which tells what runs do.
"""

from gateway.run_pages.pages import RunPages
from gateway.run_pages.routes import build_run_routes

__all__ = ["RunPages", "build_run_routes"]
