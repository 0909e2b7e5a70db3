"""Code that a new server begins with."""

import pytest

from gateway.server_pages.starters import STARTERS
from gateway.servers.code import parse_code, read_credentials, read_refused


@pytest.mark.parametrize("key", STARTERS)
def test_every_starter_is_code_that_asks_for_nothing_refused(key: str) -> None:
    """Ours: one of them is run in test_in_a_browser."""
    tree = parse_code(STARTERS[key].code)
    keys = [each.key for each in read_credentials(tree)]
    assert (keys, read_refused(tree)) == (["API_KEY"] if key == "api" else [], ())
