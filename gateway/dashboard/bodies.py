"""How large a request to the pages may be: small from a stranger, a long text from the owner."""

from typing import Any

from quart.wrappers import Request

from gateway.dashboard.browser import Browser

MAX_BODY_BYTES = 64 * 1024
"""From who is not logged in."""
MAX_OWNERS_BODY_BYTES = 6 * 1024 * 1024
"""From who is: a file, or two prompts of 200,000 characters, at up to 12 bytes for one of them as
a browser encodes it."""


def request_class(browser: Browser) -> type[Request]:
    """Return requests that take as much as their sender may send."""

    class Sized(Request):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if self.method == "POST" and any(map(browser.is_open, self.cookies.values())):
                # Before the first byte of it is taken.
                self.body = self.body_class(self.content_length, MAX_OWNERS_BODY_BYTES)
                self.max_content_length = MAX_OWNERS_BODY_BYTES

    return Sized
