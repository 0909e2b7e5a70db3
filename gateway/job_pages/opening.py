"""Builds the pages for jobs from a gateway's services."""

from quart import Blueprint

from gateway.dashboard.browser import Browser
from gateway.dashboard.live import Live as Fragments
from gateway.job_pages.pages import JobPages
from gateway.jobs.desk import JobDesk
from gateway.tool_names import Live, live_tools
from gateway.tools import Services
from gateway.webhooks.fire_tokens import FireTokens


def open_job_pages(browser: Browser, services: Services, follow: Fragments) -> Blueprint:
    """Return the routes of the pages."""
    settings, store = services.settings, services.store

    def live() -> Live:
        return live_tools(services.supervisor.snapshots())

    desk = JobDesk(settings, store, services.runner, services.scheduler, live)
    tokens = FireTokens(store, services.webhooks.hooks.base_url)
    return JobPages(browser, settings, store, desk, tokens, live, follow).blueprint()
