"""``key show`` and ``key rotate``: the keys under which secrets are kept, which no one prints.

They act on the running gateway, or on the store of a home that none holds.
"""

import importlib
from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from gateway.cli.answers import show
from gateway.cli.client import request_local
from gateway.cli.home import read_settings
from gateway.domain.units import counted
from gateway.local import find_live
from gateway.settings import Settings

Standing: TypeAlias = Mapping[str, Any]


def run(args: Namespace) -> int:
    """Carry out the action and print how the keys stand."""
    settings = read_settings(args)
    live = find_live(settings.home)
    if live is None:
        # The store costs a second to import, which a running gateway saves us.
        module = importlib.import_module("gateway.cli.key_offline")
        act = cast("Callable[[Settings, str | None], Standing]", module.act)
        standing = act(settings, args.rotate)
    elif args.rotate is None:
        standing = request_local(live, "GET", "key")
    else:
        standing = request_local(live, "POST", "key", {"rotate": args.rotate})
    return show(args, standing, lambda told: _text(told, args.rotate))


def _text(standing: Standing, rotated: str | None) -> str:
    said: list[str] = []
    if rotated == "data":
        said.append(
            f"{counted(standing['sealed'], 'value')} sealed anew; the old data key is gone."
        )
    elif rotated == "master":
        said.append(
            "The master key is another one. Back-ups from before open with the old one only."
        )
    made = datetime.fromtimestamp(standing["made_at"] / 1000, UTC)
    days = (datetime.now(UTC) - made).days
    said.append(f"master key  in {standing['source']}")
    said.append(
        f"data key    {standing['key_id']}, made {made:%Y-%m-%d %H:%M} UTC, {days} days ago"
    )
    if standing["data_keys"] > 1:
        said.append(f"            and {standing['data_keys'] - 1} older, which open older values")
    said.append(f"seals       {counted(standing['sealed'], 'value')}")
    return "\n".join(said)
