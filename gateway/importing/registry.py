"""Reads a `server.json` as the MCP registry publishes it: packages of npm and PyPI.

Source: the registry's "Official MCP Registry server.json", packages and their inputs.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from gateway.importing.plans import CannotImport, Program

RUNNERS = {"npm": "npx", "pypi": "uvx"}
SEPARATORS = {"npm": "@", "pypi": "=="}
IMPLIED = frozenset({"-y", "--yes"})
"""What a runner is told that asks; nothing asks here."""
_PLACE = re.compile(r"\{([^{}]+)\}")

Document = Mapping[str, Any]


def is_registry_document(document: Document) -> bool:
    """Tell whether this is a server of the registry and no client's file."""
    return isinstance(document.get("name"), str) and (
        isinstance(document.get("packages"), list) or isinstance(document.get("remotes"), list)
    )


def registry_program(document: Document) -> Program:
    """Return what a server of the registry starts. Raises CannotImport."""
    name = str(document["name"])
    package = next(_packages(document), None)
    if package is None:
        raise CannotImport(
            f"Server {name!r} has no package of npm or PyPI that speaks on standard input and "
            "output; only such can be imported."
        )
    kind = _kind(package)
    identifier, version = _text(package, "identifier", "name"), _text(package, "version")
    if not identifier:
        raise CannotImport(f"The package of server {name!r} has no identifier.")
    _check_nothing_is_lost(name, package)
    named = f"{identifier}{SEPARATORS[kind]}{version}" if version else identifier
    plain, wanted, optional = _variables(package)
    return Program(
        name,
        RUNNERS[kind],
        (named, *_arguments(name, package)),
        # Who publishes a document grants nothing of this machine by it.
        readable=(),
        plain=plain,
        wanted=wanted,
        optional=optional,
        description=str(document.get("description") or ""),
    )


def _check_nothing_is_lost(name: str, package: Document) -> None:
    """Refuse what a package asks for and would not get. Raises CannotImport."""
    listed = package.get("runtimeArguments", package.get("runtime_arguments"))
    for argument in _objects(listed):
        said = _text(argument, "name", "value", "default", "valueHint")
        if said not in IMPLIED:
            raise CannotImport(
                f"The package of server {name!r} wants its runtime to be told {said[:60]!r}, which "
                "is not passed on here; write the whole command into an mcpServers file."
            )
    if _text(package, "fileSha256", "file_sha256"):
        raise CannotImport(
            f"The package of server {name!r} names the digest of a file, with which what is "
            "installed is not compared here; take fileSha256 out of the file if you do without."
        )


def _packages(document: Document) -> Iterator[Document]:
    for package in _objects(document.get("packages")):
        transport = package.get("transport")
        spoken = _text(cast("Document", transport), "type") if isinstance(transport, dict) else ""
        if _kind(package) in RUNNERS and spoken in ("", "stdio"):
            yield package


def _kind(package: Document) -> str:
    return _text(package, "registryType", "registry_type", "registry_name").lower()


def _variables(package: Document) -> tuple[dict[str, str], dict[str, str], frozenset[str]]:
    """Return plain variables by value, wanted ones by purpose, and which of these may lack."""
    plain: dict[str, str] = {}
    wanted: dict[str, str] = {}
    optional: set[str] = set()
    listed = package.get("environmentVariables", package.get("environment_variables"))
    for variable in _objects(listed):
        key = _text(variable, "name")
        value = _text(variable, "value", "default")
        secret = variable.get("isSecret", variable.get("is_secret", False))
        required = variable.get("isRequired", variable.get("is_required", False))
        if value and not secret and "{" not in value:
            plain[key] = value
        else:
            wanted[key] = _text(variable, "description")
            if not required:
                optional.add(key)
    return plain, wanted, frozenset(optional)


def _arguments(name: str, package: Document) -> Iterator[str]:
    listed = package.get("packageArguments", package.get("package_arguments"))
    for argument in _objects(listed):
        value = _filled(name, argument, _text(argument, "value", "default"))
        required = argument.get("isRequired", argument.get("is_required", False))
        option = _text(argument, "name") if argument.get("type") == "named" else ""
        if not value and not option:
            if required:
                hint = _text(argument, "valueHint", "value_hint", "name", "description")
                raise CannotImport(
                    f"Server {name!r} needs the argument {hint[:60]!r}, which only you know; "
                    "write its value into the file."
                )
            continue
        if option and (value or required):
            yield option
        if value:
            yield value


def _filled(name: str, argument: Document, value: str) -> str:
    """Return a value with its variables' own values; what no variable is named like stays."""
    given = argument.get("variables")
    variables: Mapping[str, object] = {}
    if isinstance(given, dict):
        variables = cast("Mapping[str, object]", given)

    def fill(place: re.Match[str]) -> str:
        variable = variables.get(place[1])
        if not isinstance(variable, dict):
            return place[0]
        known = cast("Document", variable)
        found = _text(known, "value", "default")
        if not found or known.get("isSecret", known.get("is_secret", False)):
            raise CannotImport(
                f"Server {name!r} needs {place[1][:60]!r} in its arguments, which only you know; "
                "write the argument's value into the file."
            )
        return found

    return _PLACE.sub(fill, value)


def _objects(value: object) -> Iterator[Document]:
    for each in cast("list[object]", value) if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield cast("Document", each)


def _text(value: Document, *names: str) -> str:
    """Return the first member of these names that is a text; '' without one."""
    return next((found for name in names if isinstance(found := value.get(name), str)), "")
