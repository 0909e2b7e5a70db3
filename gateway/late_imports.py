"""One thread at a time imports the large libraries that are loaded when they are needed.

FastMCP and the Agent SDK stand on the same packages. Where two threads import those at once, Python
gives one of them a half-made module rather than let both wait for ever, and its import fails.
"""

import threading

IMPORTING = threading.Lock()
