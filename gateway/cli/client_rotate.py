"""``client rotate``: another id and secret for the pre-registered OAuth client."""

import importlib
from argparse import Namespace
from collections.abc import Callable
from typing import cast

from gateway.cli.client import request_local
from gateway.cli.exits import Exit
from gateway.cli.home import read_settings
from gateway.local import find_live
from gateway.settings import Settings


def run(args: Namespace) -> int:
    """Print two lines for `.env` and nothing else."""
    settings = read_settings(args)
    live = find_live(settings.home)
    if live is not None:
        print(request_local(live, "POST", "oauth-client")["env"], end="")
        return Exit.OK
    # The store costs a second to import, which a running gateway saves us.
    module = importlib.import_module("gateway.cli.client_offline")
    print(cast("Callable[[Settings], str]", module.rotate_client)(settings), end="")
    return Exit.OK
