"""What `servers add` is given, as the program that it starts. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway.importing.plans import CannotImport, Program
from gateway.importing.registry import is_registry_document, registry_program

PYPI = "pypi:"
NPM = "npm:"


def is_package(source: str) -> bool:
    """Tell whether a source names a package of PyPI or npm."""
    return source.startswith((PYPI, NPM))


def package_program(source: str, arguments: Sequence[str], program: str | None) -> Program:
    """Return what `pypi:NAME==VERSION` or `npm:NAME@VERSION` starts, both with or without version.

    `program`: which one of a package of PyPI; None: the one with the package's name, or its only
    one. Raises CannotImport.
    """
    named = source.partition(":")[2]
    if not named:
        raise CannotImport(f"{source!r} names no package; write pypi:NAME or npm:NAME.")
    if source.startswith(NPM):
        if program is not None:
            raise CannotImport("--program is for packages of PyPI; npm's say what they start.")
        at = named.find("@", 1)
        return Program(named if at < 0 else named[:at], "npx", ("-y", named, *arguments))
    name = named.partition("==")[0].partition("@")[0].partition("[")[0]
    chosen = (named,) if program is None else ("--from", named, program)
    return Program(name, "uvx", (*chosen, *arguments))


def document_program(text: str, arguments: Sequence[str]) -> Program:
    """Return what a `server.json` starts, also one that the registry's API wraps up.

    Raises CannotImport.
    """
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotImport(f"It is no plain JSON ({error}).") from error
    found = _members(document)
    found = _members(found.get("server")) or found
    if not is_registry_document(found):
        raise CannotImport("It is no server.json of the registry: it has no name with packages.")
    program = registry_program(found)
    return replace(program, arguments=(*program.arguments, *arguments), readable=tuple(arguments))


def _members(document: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", document) if isinstance(document, dict) else {}
