"""Builds the page from a gateway's services."""

from quart import Blueprint

from gateway.budgets.report import CostReport
from gateway.cost_pages.pages import CostPages
from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.domain.clock import utc_ms
from gateway.tools.services import Services


def open_cost_pages(browser: Browser, services: Services, live: Live) -> Blueprint:
    """Return the route of the page."""
    store = services.store
    return CostPages(browser, store, CostReport(store, services.settings), utc_ms, live).blueprint()
