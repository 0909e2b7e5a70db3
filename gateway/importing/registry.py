"""Reads a `server.json` as the MCP registry publishes it: packages of npm and PyPI."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from gateway.importing.plans import CannotImport, Program

RUNNERS = {"npm": "npx", "pypi": "uvx"}
SEPARATORS = {"npm": "@", "pypi": "=="}

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
        value = _text(argument, "value", "default")
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


def _objects(value: object) -> Iterator[Document]:
    for each in cast("list[object]", value) if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield cast("Document", each)


def _text(value: Document, *names: str) -> str:
    """Return the first member of these names that is a text; '' without one."""
    return next((found for name in names if isinstance(found := value.get(name), str)), "")
