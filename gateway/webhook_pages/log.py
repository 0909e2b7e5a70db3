"""The log of a webhook on its page; the newest part of it is a live fragment."""

from dataclasses import dataclass

from jinja2 import Environment

from gateway.dashboard.live import Live, full_name
from gateway.webhook_pages.rows import DeliveryRow, delivery_row
from gateway.webhooks.errors import NoSuchWebhook
from gateway.webhooks.sending import Sending

PAGE_DELIVERIES = 50
FRAGMENT = "webhook-log"


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of the log."""

    webhook_id: str
    deliveries: tuple[DeliveryRow, ...]
    newest: bool
    older: str | None
    """The delivery behind which the next page begins; None: there is none."""


class DeliveryLog:
    """Reads pages of logs."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    def register(self, live: Live, templates: Environment) -> None:
        """Have newest pages follow what happens."""
        template = templates.get_template("webhook_log.html")

        async def render(webhook_id: str) -> str:
            try:
                log = await self.read(webhook_id)
            except NoSuchWebhook as error:
                return str(error)
            return await template.render_async(log=log)

        live.register(FRAGMENT, render, ticks=True)

    async def read(self, webhook_id: str, before: str | None = None) -> LogPage:
        """Return a page of a log. Raises NoSuchWebhook and StoreError."""
        found = await self._sending.log(webhook_id, PAGE_DELIVERIES, before)
        return LogPage(
            webhook_id,
            tuple(map(delivery_row, found)),
            newest=before is None,
            older=found[-1].id if len(found) == PAGE_DELIVERIES else None,
        )


def fragment_of(webhook_id: str) -> str:
    """Return the name under which pages follow a log."""
    return full_name(FRAGMENT, webhook_id)
