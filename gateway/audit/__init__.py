"""Who did what: entries are noted on the way of each deed, and written down behind it.

Above: whoever does or lets do something. Below: the store.
"""

from gateway.audit.trail import Trail

__all__ = ["Trail"]
