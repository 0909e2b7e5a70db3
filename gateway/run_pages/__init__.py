"""Where people see runs: the page of a run, its live stream, the routes of the command line.

Above: the dashboard and `/local`. Below: `gateway.jobs`, which tells what runs do.
"""

from gateway.run_pages.opening import open_run_pages
from gateway.run_pages.routes import build_run_routes

__all__ = ["build_run_routes", "open_run_pages"]
