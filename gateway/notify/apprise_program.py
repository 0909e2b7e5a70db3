"""A process of its own that sends one notice through Apprise, or only looks at an address.

Started as `python -I` on this file by `apprise_process`, which holds it to a time. Reads an order
as JSON from standard input, so that no process list shows an address, and answers with one line of
JSON. It imports nothing of ours: loading Apprise with its plugins takes half a second and 50 MB.
"""

import json
import logging
import re
import signal
import sys
from typing import Any
from urllib.parse import unquote

import apprise

LIMIT_S = 30
"""The gateway may be gone; then nobody else ends this process."""
WAIT_S = 10.0
"""For a connection, and for each answer."""
SHORTEST_HIDDEN = 4
"""Shorter parts of an address, such as `to`, are no secrets and would garble every sentence."""


class Heard(logging.Handler):
    """Keeps the last thing that Apprise complained of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self.last = record.getMessage()


def main() -> None:
    """Carry out the order on standard input."""
    signal.alarm(LIMIT_S)
    order = json.load(sys.stdin)
    heard = Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    logger.propagate = False
    service, done = carry_out(order)
    problem = None if done else hide(heard.last.strip() or "it did not say why", order["address"])
    print(json.dumps({"service": service, "problem": problem}))


def carry_out(order: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the service of the address and whether it took the notice.

    No service: Apprise does not know the address. Without a title nothing is sent.
    """
    asset = apprise.AppriseAsset(http_redirects=False, async_mode=False)
    create: Any = apprise.Apprise
    service = create.instantiate(order["address"], asset=asset, suppress_exceptions=True)
    if service is None:
        return None, False
    # An address may ask for other values.
    service.redirects = False
    service.socket_connect_timeout = service.socket_read_timeout = WAIT_S
    service.retry = 0
    name = str(service.service_name)
    if order["title"] is None:
        return name, True
    text = apprise.NotifyFormat.TEXT
    return name, bool(service.notify(body=order["text"], title=order["title"], body_format=text))


def hide(sentence: str, address: str) -> str:
    """Return a sentence without the parts of an address."""
    parts = {
        part for text in (address, unquote(address)) for part in re.split(r"[/:@?&=#,;]+", text)
    }
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= SHORTEST_HIDDEN:
            sentence = sentence.replace(part, "***")
    return sentence


if __name__ == "__main__":
    main()
