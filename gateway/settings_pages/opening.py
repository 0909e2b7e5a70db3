"""Builds the pages from a gateway's services."""

from quart import Blueprint

from gateway.dashboard.browser import Browser
from gateway.domain.clock import utc_ms
from gateway.settings import Settings
from gateway.settings_pages.backups import BackupPages
from gateway.settings_pages.pages import SettingsPages
from gateway.stdio_wire import stdin_is_pipe
from gateway.tools.services import Services
from gateway.variables import Transport


def open_settings_pages(browser: Browser, services: Services) -> Blueprint:
    """Return the routes of the pages."""
    settings = services.settings
    backups = BackupPages(settings, utc_ms)
    return SettingsPages(
        browser,
        settings.read_from,
        services.restart,
        backups,
        otherwise=_otherwise(settings),
        has_client=stdin_is_pipe(),
    ).blueprint()


def _otherwise(settings: Settings) -> str:
    """Return how the gateway is restarted where its page cannot do that."""
    if settings.service.notify_socket is not None:
        return "systemd runs this gateway: restart it by `systemctl restart claude-runner`."
    if settings.mcp_transport in (Transport.STDIO, Transport.BOTH) and stdin_is_pipe():
        return "A client speaks to this gateway on standard input: restart that client."
    return ""
