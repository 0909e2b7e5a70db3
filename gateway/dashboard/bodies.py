"""How large a request to the pages may be: a form is small, but for the editor of code."""

from typing import Any

from quart.wrappers import Request

from gateway.dashboard.browser import Browser

MAX_BODY_BYTES = 64 * 1024
"""No form of ours is larger, but for an editor's."""
MAX_EDIT_BYTES = 4 * 1024 * 1024
"""A file as a browser encodes it; only who is logged in may send so much."""
EDITOR = ("/server/", ("/code", "/code/try"))
"""How the paths of an editor begin and end."""


def request_class(browser: Browser) -> type[Request]:
    """Return requests that take as much as their sender may send."""

    class Sized(Request):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            begin, end = EDITOR
            is_edit = self.path.startswith(begin) and self.path.endswith(end)
            if is_edit and any(map(browser.is_open, self.cookies.values())):
                # Before the first byte of it is taken.
                self.body = self.body_class(self.content_length, MAX_EDIT_BYTES)
                self.max_content_length = MAX_EDIT_BYTES

    return Sized
