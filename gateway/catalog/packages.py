"""From a plan to packages that are pinned: the recipe to look up, and the files that keep it.

Looks at the environment that was built, where none of its code runs.
"""

import configparser
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gateway.catalog.pins import Kind, Pin
from gateway.importing.plans import CannotImport
from sandboxes.packages.recipe import NodeRecipe, PythonRecipe, Recipe
from supervisor.folders.dependencies import LOCK_FILE, PACKAGE_FILE, REQUIREMENTS_FILE

MAX_ENTRY_POINTS = 64 * 1024
SHOWN_PROGRAMS = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package by name, and perhaps by version."""

    kind: Kind
    name: str
    """With the extras of PyPI."""
    version: str | None

    @property
    def word(self) -> str:
        """As its tools read it."""
        if self.version is None:
            return self.name
        return f"{self.name}{'==' if self.kind is Kind.PYPI else '@'}{self.version}"


def wanted_by(files: Mapping[str, str]) -> Wanted | None:
    """Return the package that a planned server asks for; None: a program of this machine."""
    if REQUIREMENTS_FILE in files:
        asked = Requirement(files[REQUIREMENTS_FILE].strip())
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        version = next((each.version for each in asked.specifier), None)
        return Wanted(Kind.PYPI, f"{asked.name}{extras}", version)
    if PACKAGE_FILE in files:
        ((name, version),) = json.loads(files[PACKAGE_FILE])["dependencies"].items()
        return Wanted(Kind.NPM, name, None if version == "latest" else version)
    return None


def recipe_of(wanted: Wanted, *, source_builds: bool) -> Recipe:
    """Return what is to be looked up."""
    if wanted.kind is Kind.PYPI:
        return PythonRecipe((wanted.word,), source_builds=source_builds)
    said = {"private": True, "dependencies": {wanted.name: wanted.version or "latest"}}
    return NodeRecipe((wanted.word,), json.dumps(said, indent=2) + "\n")


def pin_of(wanted: Wanted, locked: Recipe) -> Pin:
    """Return what a package was found to be."""
    text = "\n".join(lock_files(locked).values())
    digest = f"sha256:{sha256(text.encode()).hexdigest()}"
    version = versions_of(locked)[_key(wanted.kind, wanted.name)]
    return Pin(wanted.kind, wanted.name, version, digest)


def with_lock(files: Mapping[str, str], locked: Recipe) -> dict[str, str]:
    """Return the files of a server with its packages pinned."""
    return {**files, **lock_files(locked)}


def versions_of(locked: Recipe) -> dict[str, str]:
    """Return every package of a lock with its version."""
    if isinstance(locked, PythonRecipe):
        words = (line.partition(" ")[0] for line in locked.requirements)
        return {_pinned_name(word): word.rpartition("==")[2] for word in words}
    return {place: str(each.get("version", "")) for place, each in _npm_packages(locked).items()}


def _pinned_name(word: str) -> str:
    return canonicalize_name(word.partition("==")[0].partition("[")[0])


def _npm_packages(locked: NodeRecipe) -> dict[str, Any]:
    packages: dict[str, Any] = json.loads(locked.lock or "{}").get("packages", {})
    return {place.removeprefix("node_modules/"): each for place, each in packages.items() if place}


def _digests_of(locked: Recipe) -> dict[str, set[str]]:
    """Return the digests of every package of a lock; more files of a version are no change."""
    if isinstance(locked, PythonRecipe):
        words = (line.split() for line in locked.requirements)
        return {_pinned_name(line[0]): set(line[1:]) for line in words}
    return {
        place: {str(each.get("integrity", ""))} for place, each in _npm_packages(locked).items()
    }


def changed_packages(before: Recipe | None, after: Recipe) -> tuple[str, ...]:
    """Return in words what differs between two locks."""
    old, new = versions_of(before) if before else {}, versions_of(after)
    both = sorted(old.keys() & new.keys())
    digests = (_digests_of(before) if before else {}, _digests_of(after))
    return (
        *(f"{name} {old[name]} -> {new[name]}" for name in both if old[name] != new[name]),
        *(f"{name} {new[name]} added" for name in sorted(new.keys() - old.keys())),
        *(f"{name} {old[name]} removed" for name in sorted(old.keys() - new.keys())),
        *(f"digests of {name} {new[name]} changed" for name in both
          if old[name] == new[name] and not digests[0][name] <= digests[1][name]),
    )  # fmt: skip


def python_program(environment: Path, package: str, asked: str) -> str:
    """Return the program of a package of PyPI: what was asked for, or the only one. Blocking.

    Raises:
        CannotImport: there is none, or there are several to choose from.
    """
    programs = _programs(environment, package)
    if asked in programs or (environment / "bin" / asked).is_file():
        return asked
    if len(programs) == 1:
        return programs[0]
    if not programs:
        raise CannotImport(f"Package {package!r} brings no program that could be started.")
    raise CannotImport(
        f"Package {package!r} brings no program {asked!r}; choose one with --program: "
        f"{', '.join(programs[:SHOWN_PROGRAMS])}."
    )


def _programs(environment: Path, package: str) -> list[str]:
    key = canonicalize_name(package.partition("[")[0])
    for entry_points in environment.glob("lib/python3*/site-packages/*.dist-info/entry_points.txt"):
        name = entry_points.parent.name.partition("-")[0]
        if canonicalize_name(name) != key or entry_points.is_symlink():
            continue
        with entry_points.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_ENTRY_POINTS)
        parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
        parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - names keep their case
        try:
            parser.read_string(text)
        except configparser.Error:
            return []
        return sorted(parser["console_scripts"]) if parser.has_section("console_scripts") else []
    return []


def lock_files(locked: Recipe) -> dict[str, str]:
    """Return the files that pin the packages of a server."""
    if isinstance(locked, PythonRecipe):
        lines = (line.replace(" --hash=", " \\\n    --hash=") for line in locked.requirements)
        return {REQUIREMENTS_FILE: "\n".join(lines) + "\n"}
    return {PACKAGE_FILE: locked.package, LOCK_FILE: locked.lock or ""}


def _key(kind: Kind, name: str) -> str:
    return canonicalize_name(name.partition("[")[0]) if kind is Kind.PYPI else name
