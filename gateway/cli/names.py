"""Jobs and webhooks go by id, or by a name that only one of them has."""

from argparse import Namespace
from typing import Any, cast

from gateway.cli.answers import ask
from gateway.cli.exits import Exit, Failure


def id_of(args: Namespace, tool: str, things: str, wanted: str) -> str:
    """Return the id of what is meant among what a tool lists as `things`.

    Raises Failure when a name is of several. An unknown one is given back: the tool that gets it
    refuses it in its own words.
    """
    listed = cast("list[dict[str, Any]]", ask(args, tool)[things])
    ids = [str(each["id"]) for each in listed if wanted == each["id"]]
    ids = ids or [str(each["id"]) for each in listed if wanted == each["name"]]
    if len(ids) > 1:
        raise Failure(Exit.FAILED, f"{len(ids)} {things} are named {wanted!r}; give the id.")
    return ids[0] if ids else wanted
