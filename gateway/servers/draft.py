"""What an author asks of a dynamic server, and the metadata that this becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from gateway.servers.code import parse_code, read_credentials
from gateway.servers.edit import Edit, apply_edit
from gateway.servers.folders import Source
from sandboxes.policy import Network, NetworkMode
from supervisor.errors import InvalidServer
from supervisor.folders.dependencies import check_requirements
from supervisor.spec import DeclaredCredential

Declaration = dict[str, object]
"""A credential as `metadata.json` writes it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A server to be made or changed; None leaves what is there, or takes the default."""

    code: str | None = None
    edit: Edit | None = None
    """A change of the present code, in place of all of it."""
    description: str | None = None
    credentials: tuple[DeclaredCredential, ...] | None = None
    """Credentials that the author declares; what the code reads is added to them."""
    network: Network | None = None
    values: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Secrets to be stored for a new server, by key; shown nowhere."""
    dependencies: tuple[str, ...] | None = None
    """Python packages as pip names them; an empty one takes the declaration back."""
    declared: Mapping[str, object | None] = field(default_factory=dict[str, object | None])
    """Further members of `metadata.json`, which the owner sets; None takes one out."""


def apply_draft(name: str, source: Source, draft: Draft) -> Source:
    """Return `source` with the changes of `draft`.

    Raises:
        InvalidServer: the code is not Python, the edit fits no place or several, or a dependency
            is no package by name.
    """
    check_requirements(name, draft.dependencies or ())
    code = _code(name, source, draft)
    metadata = dict(source.metadata)
    for member, value in draft.declared.items():
        if value is None:
            metadata.pop(member, None)
        else:
            metadata[member] = value
    if draft.description is not None:
        metadata["description"] = draft.description
    if draft.network is not None:
        metadata["network"] = _network(draft.network)
    if draft.code is not None or draft.edit is not None or draft.credentials is not None:
        metadata["credentials"] = _credentials(source, code or "", draft)
    return Source(code, metadata, draft.dependencies)


def _code(name: str, source: Source, draft: Draft) -> str | None:
    if draft.edit is None:
        return source.code if draft.code is None else draft.code
    if source.code is None:
        raise InvalidServer(f"Server {name!r} has no server.py that could be edited.")
    return apply_edit(source.code, draft.edit)


def _credentials(source: Source, code: str, draft: Draft) -> list[Declaration]:
    """Return the declarations: the author's, or those of before, and what the code reads."""
    if draft.credentials is not None:
        declared = [_declaration(credential) for credential in draft.credentials]
    else:
        declared = _declared_before(source)
    table = {str(entry["key"]): entry for entry in declared}
    for found in read_credentials(parse_code(code)) if code else ():
        table.setdefault(found.key, _declaration(found))
    return list(table.values())


def _declared_before(source: Source) -> list[Declaration]:
    """Return the declarations that stand in the metadata for another reason than the old code."""
    try:
        found = read_credentials(parse_code(source.code)) if source.code else ()
    except InvalidServer:
        found = ()
    by_code = [_declaration(credential) for credential in found]
    written = cast("list[str | Declaration]", source.metadata.get("credentials", []))
    entries = map(_as_declaration, written)
    return [entry for entry in entries if entry not in by_code]


def _as_declaration(entry: str | Declaration) -> Declaration:
    return {"key": entry} if isinstance(entry, str) else entry


def _declaration(credential: DeclaredCredential) -> Declaration:
    return {
        "key": credential.key,
        "required": credential.required,
        "description": credential.description,
    }


def _network(network: Network) -> object:
    if network.mode is NetworkMode.HOSTS:
        return {"hosts": list(network.hosts)}
    return network.mode.value
