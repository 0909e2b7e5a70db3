"""Builds the page from a gateway's services."""

from quart import Blueprint

from gateway.dashboard.browser import Browser
from gateway.jobs.quick_runs import QuickRuns
from gateway.quick_run.pages import QuickRunPages
from gateway.tool_names import Live, live_tools
from gateway.tools import Services


def open_quick_run(browser: Browser, services: Services) -> Blueprint:
    """Return the routes of the page."""
    settings, store = services.settings, services.store

    def live() -> Live:
        return live_tools(services.supervisor.snapshots())

    quick = QuickRuns(settings, services.runner, live)
    return QuickRunPages(browser, settings, store, quick, live).blueprint()
