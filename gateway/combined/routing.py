"""From a message to `/mcp/all` to the one server that it is for, under that server's own names.

Nothing but the name in params is changed. What leads to no server, or to more than one, is refused.
"""

import re
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from gateway.auth.caller import Caller
from gateway.combined.catalogue import Catalogue
from gateway.combined.lists import Kind
from gateway.combined.table import Table
from gateway.combined.tasks import METHODS, Tasks, task_id
from gateway.combined.templates import matches
from gateway.domain.view import View
from gateway.relay.refusal import INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from gateway.relay.request import Posted
from supervisor.children.wire import decode, parse_object, with_member
from supervisor.slots.slot import Slot
from supervisor.spec import Era

RESOURCE_NOT_FOUND = -32002
"""Of the handshake era; the modern one has -32602 (SEP-2164)."""
SHOWN_CHARACTERS = 200
CALL_TOOL = "call_tool"

_FULL_NAME = re.compile(r"mcp__(?P<server>[A-Za-z0-9-]+)__(?P<name>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Route:
    """A message as its server reads it."""

    slot: Slot
    posted: Posted


class Router:
    """Finds the server of each message."""

    def __init__(self, catalogue: Catalogue, tasks: Tasks) -> None:
        self._catalogue = catalogue
        self._tasks = tasks

    async def route(self, posted: Posted, caller: Caller) -> Route:
        """Return where a request leads.

        Raises:
            Refusal: nowhere, or to more than one server.
        """
        view = caller.view
        match posted.method:
            case "tools/call":
                return self._tool(unwrapped(posted), view)
            case "prompts/get":
                slot, name = self._prompt(posted.fields.name or "", view)
                return Route(slot, _renamed(posted, name))
            case "resources/read":
                return Route(await self.owner(posted.fields.uri or "", posted.era, view), posted)
            case "completion/complete":
                return await self._completion(posted, view)
            case method if method in METHODS and posted.era is Era.MODERN:
                return self._task(posted, caller)
            case method:
                raise Refusal(METHOD_NOT_FOUND, f"{method} is not part of /mcp/all.", 200)

    async def owner(self, uri: str, era: Era, view: View | None) -> Slot:
        """Return the only server that lists a URI, or the only one with a template for it.

        Raises:
            Refusal: in the words of the caller's era, that there is none or more than one.
        """
        not_found = INVALID_PARAMS if era is Era.MODERN else RESOURCE_NOT_FOUND
        resources = await self._catalogue.other(Kind.RESOURCES, view)
        if uri in resources.entries:
            return self._slot_of(resources.entries[uri].server, view)
        if uri in resources.refused:
            raise Refusal(not_found, resources.refused[uri], 200, {"uri": uri})
        templates = await self._catalogue.other(Kind.TEMPLATES, view)
        owners = sorted({e.server for e in templates.entries.values() if matches(e.key, uri)})
        refused = [reason for key, reason in templates.refused.items() if matches(key, uri)]
        if len(owners) == 1 and not refused:
            return self._slot_of(owners[0], view)
        raise Refusal(not_found, _why_not(uri, owners, refused), 200, {"uri": uri})

    def _tool(self, posted: Posted, view: View | None) -> Route:
        name = posted.fields.name or ""
        table = self._catalogue.tools(view)
        entry = table.entries.get(name)
        if entry is not None:
            slot = self._catalogue.slot(entry.server, view)
            assert slot is not None, "the table holds what the view has now"
            return Route(slot, _renamed(posted, entry.original))
        match = _FULL_NAME.fullmatch(name)
        slot = None if match is None else self._catalogue.slot(match["server"], view)
        # One that is still starting has listed nothing yet, and its call waits for it.
        if match is None or slot is None or slot.tools or _is_hidden(name, match, view):
            raise _nowhere("tool", name, table)
        return Route(slot, _renamed(posted, match["name"]))

    def _task(self, posted: Posted, caller: Caller) -> Route:
        task = task_id(posted)
        server = self._tasks.server_of(caller.id, task)
        slot = None if server is None else self._catalogue.slot(server, caller.view)
        if slot is None:
            raise Refusal(INVALID_PARAMS, f"Unknown task: {task[:SHOWN_CHARACTERS]}", 200)
        return Route(slot, posted)

    def _prompt(self, name: str, view: View | None) -> tuple[Slot, str]:
        match = _FULL_NAME.fullmatch(name)
        slot = None if match is None else self._catalogue.slot(match["server"], view)
        if match is None or slot is None:
            raise Refusal(INVALID_PARAMS, f"Unknown prompt: {name[:SHOWN_CHARACTERS]}", 200)
        return slot, match["name"]

    async def _completion(self, posted: Posted, view: View | None) -> Route:
        params = parse_object(posted.envelope.params)
        ref = parse_object(params.get("ref"))
        if _text(ref.get("type")) == "ref/prompt":
            slot, name = self._prompt(_text(ref.get("name")), view)
            params_there = with_member(
                posted.envelope.params, "ref", msgspec.Raw(with_member(params["ref"], "name", name))
            )
            return Route(slot, _with_params(posted, params_there))
        uri = _text(ref.get("uri"))
        templates = await self._catalogue.other(Kind.TEMPLATES, view)
        entry = templates.entries.get(uri)
        if entry is None:
            raise _nowhere("resource template", uri, templates)
        return Route(self._slot_of(entry.server, view), posted)

    def _slot_of(self, server: str, view: View | None) -> Slot:
        slot = self._catalogue.slot(server, view)
        if slot is None:
            raise Refusal(INVALID_PARAMS, f"Server {server!r} is not here any more.", 200)
        return slot


def unwrapped(posted: Posted) -> Posted:
    """Return a call of `call_tool` as the call that it asks for; any other as it is.

    Raises:
        Refusal: it names no tool.
    """
    if posted.fields.name != CALL_TOOL:
        return posted
    arguments = parse_object(parse_object(posted.envelope.params).get("arguments"))
    name = _text(arguments.get("tool"))
    if not name:
        raise Refusal(INVALID_PARAMS, "call_tool needs the name of a tool in 'tool'.", 200)
    inner = with_member(
        posted.envelope.params, "arguments", arguments.get("arguments", msgspec.Raw(b"{}"))
    )
    return _renamed(_with_params(posted, inner), name)


def _renamed(posted: Posted, name: str) -> Posted:
    there = _with_params(posted, with_member(posted.envelope.params, "name", name))
    return replace(there, fields=replace(there.fields, name=name))


def _with_params(posted: Posted, params: bytes) -> Posted:
    return replace(posted, envelope=replace(posted.envelope, params=msgspec.Raw(params)))


def _text(raw: msgspec.Raw | None) -> str:
    value = None if raw is None else decode(raw)
    return value if isinstance(value, str) else ""


def _is_hidden(name: str, match: re.Match[str], view: View | None) -> bool:
    if view is None:
        return False
    return name in dict(view.names) or not view.may_call(match["server"], match["name"])


def _nowhere(what: str, key: str, table: Table) -> Refusal:
    reason = table.refused.get(key) or f"Unknown {what}: {key[:SHOWN_CHARACTERS]}"
    return Refusal(INVALID_PARAMS, reason, 200)


def _why_not(uri: str, owners: list[str], refused: list[str]) -> str:
    if refused:
        return refused[0]
    shown = repr(uri[:SHOWN_CHARACTERS])
    if not owners:
        return f"No server here lists {shown} or has a template for it."
    names = " and ".join(map(repr, owners))
    return f"{shown} fits templates of {names}; read it at /servers/<name>/mcp of the one you mean."
