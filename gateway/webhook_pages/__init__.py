"""Where the owner sees, makes and tries out webhooks in a browser.

Above: the dashboard. Below: `gateway.webhooks`, whose desk the management tools use as well.
"""

from gateway.webhook_pages.opening import open_webhook_pages

__all__ = ["open_webhook_pages"]
