"""What a server's list of tools shows to a token that was made for some of them."""

import msgspec

from gateway.domain.view import ALL, View
from supervisor.pinning.definitions import read_page

NOTHING = msgspec.Raw(b'{"tools":[]}')


def shown(view: View | None, server: str, result: msgspec.Raw) -> msgspec.Raw:
    """Return an answer to `tools/list` with the tools of a view alone; the rest is as it was."""
    if view is None or view.may_call(server, ALL):
        return result
    page = read_page(result)
    if page is None:
        return NOTHING
    hidden = {name for name, _ in page.entries if not view.may_call(server, name)}
    return page.without(hidden) if hidden else result
