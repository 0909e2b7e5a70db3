"""What can be wrong with what somebody asks about webhooks. The message is one sentence."""


class WebhookError(Exception):
    """Base of this room's errors that are for the owner; senders get a `Refused`."""


class NoSuchWebhook(WebhookError):
    """No webhook has this id."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook {webhook_id[:60]!r}; list_webhooks shows the ids.")


class NoSuchDelivery(WebhookError):
    """No delivery has this id, or its body is kept no more."""


class SecretRefused(WebhookError):
    """A signing secret that its scheme cannot use."""
