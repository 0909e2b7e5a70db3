"""Where the owner sees what runs cost, by day, job, webhook, model or server.

Above: the dashboard. Below: `gateway.budgets.report`.
"""

from gateway.cost_pages.opening import open_cost_pages

__all__ = ["open_cost_pages"]
