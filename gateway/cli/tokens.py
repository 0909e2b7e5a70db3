"""Where tokens are kept: behind the live gateway, or in the store when none runs."""

import importlib
from argparse import Namespace
from dataclasses import asdict
from typing import Any, Protocol, cast
from urllib.parse import quote

from gateway.cli.client import request_local
from gateway.cli.home import read_settings
from gateway.domain.token import TokenWish
from gateway.local import LiveGateway, find_live


class TokenDesk(Protocol):
    """Makes, lists and ends tokens. Raises Refused or Failure."""

    def create(self, wish: TokenWish) -> str:
        """Return the value of a new token."""
        ...

    def all(self) -> list[dict[str, Any]]:
        """Return every token without its value."""
        ...

    def revoke(self, token_id: str) -> None:
        """End a token."""
        ...


def open_desk(args: Namespace) -> TokenDesk:
    """Return the desk of the settings' home."""
    settings = read_settings(args)
    live = find_live(settings.home)
    if live is not None:
        return LiveDesk(live)
    # The store costs a second to import, which a running gateway saves us.
    module = importlib.import_module("gateway.cli.tokens_offline")
    return cast("TokenDesk", module.StoreDesk(settings))


class LiveDesk:
    """The desk of a running gateway."""

    def __init__(self, live: LiveGateway) -> None:
        self._live = live

    def create(self, wish: TokenWish) -> str:
        """Return the value of a new token."""
        made = request_local(self._live, "POST", "tokens", asdict(wish))
        return str(made["token"])

    def all(self) -> list[dict[str, Any]]:
        """Return every token without its value."""
        return cast("list[dict[str, Any]]", request_local(self._live, "GET", "tokens")["tokens"])

    def revoke(self, token_id: str) -> None:
        """End a token."""
        request_local(self._live, "DELETE", f"tokens/{quote(token_id, safe='')}")
