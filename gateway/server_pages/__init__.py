"""Where the owner sees servers and acts on them: the list, and the pages of each.

Above: the dashboard. Below: `gateway.servers`, the supervisor.
"""

from gateway.server_pages.opening import open_server_pages

__all__ = ["open_server_pages"]
