"""Where the owner sees every setting, changes those that a browser may, and restarts the gateway.

Above: the dashboard. Below: `gateway.setting_changes`, `gateway.setting_origins`.
"""

from gateway.settings_pages.opening import open_settings_pages

__all__ = ["open_settings_pages"]
