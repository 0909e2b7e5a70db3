"""Builds the pages for webhooks from a gateway's services."""

from quart import Blueprint

from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live as Fragments
from gateway.tool_names import live_tools
from gateway.tools import Services
from gateway.webhook_pages.pages import WebhookPages


def open_webhook_pages(browser: Browser, services: Services, follow: Fragments) -> Blueprint:
    """Return the routes of the pages."""
    pages = WebhookPages(
        browser,
        services.settings,
        services.store,
        services.webhooks,
        lambda: live_tools(services.supervisor.snapshots()),
        follow,
    )
    return pages.blueprint()
