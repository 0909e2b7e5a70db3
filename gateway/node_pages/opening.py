"""Builds the page from a gateway's services."""

from quart import Blueprint

from gateway.dashboard.browser import Browser
from gateway.node_pages.pages import NodePages
from gateway.nodes import NodeDesk
from gateway.tools.services import Services


def open_node_pages(browser: Browser, services: Services) -> Blueprint:
    """Return the routes of the page."""
    return NodePages(browser, NodeDesk(services.store, services.node)).blueprint()
