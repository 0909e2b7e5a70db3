"""Builds the page from a gateway's services."""

from quart import Blueprint

from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live
from gateway.node_pages.pages import NodePages
from gateway.nodes import NodeDesk
from gateway.tools.services import Services


def open_node_pages(browser: Browser, services: Services, live: Live) -> Blueprint:
    """Return the routes of the page."""
    return NodePages(browser, NodeDesk(services.store, services.node), live).blueprint()
