"""What packages a recipe means today: every one with its version and digests, found confined.

Nothing is installed. No code of a package runs, but where a recipe allows builds of sources: their
own build code says what they need. The answer is a recipe again, of the same packages on every day,
or one that cannot be built. Above: `environments`.
"""

import json
from dataclasses import replace
from typing import Any

from sandboxes.packages.build import Site, Step, Tools, npm_program, uv_program
from sandboxes.packages.recipe import NodeRecipe, PythonRecipe, Recipe

LOCKED_REQUIREMENTS = "locked.txt"
PACKAGE_LOCK = "package-lock.json"


def lock_step(recipe: Recipe, site: Site, tools: Tools) -> Step:
    """Return the program that finds the packages of a recipe.

    Raises:
        BuildRefused: uv or npm is not on this machine.
    """
    label = "resolving packages"
    if isinstance(recipe, NodeRecipe):
        # Without addresses, so that the same lock serves whatever registry the machine is set to.
        only = ("--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved")
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        return Step(label, (npm_program(), "install", *only, *quiet), fetches=True)
    wheels = () if recipe.source_builds else ("--only-binary", ":all:")
    output = (
        "--quiet",
        "--no-header",
        "--no-annotate",
        "-o",
        str(site.files / LOCKED_REQUIREMENTS),
    )
    asked = ("--generate-hashes", "--no-sources", "--python", str(tools.python.resolve()))
    command = (uv_program(tools), "pip", "compile", *asked, *wheels, *output)
    return Step(label, (*command, str(site.requirements)), fetches=True)


def read_lock(recipe: Recipe, site: Site) -> Recipe:
    """Return the recipe of what `lock_step` found. Blocking. Raises OSError, ValueError."""
    if isinstance(recipe, PythonRecipe):
        text = (site.files / LOCKED_REQUIREMENTS).read_text("utf-8")
        lines = text.replace("\\\n", " ").splitlines()
        found = (" ".join(line.split()) for line in lines if line.strip())
        return replace(recipe, requirements=tuple(sorted(found)))
    lock: dict[str, Any] = json.loads((site.files / PACKAGE_LOCK).read_text("utf-8"))
    _check_digests(lock)
    package: dict[str, Any] = json.loads(recipe.package)
    wanted = {
        name: lock["packages"][f"node_modules/{name}"]["version"]
        for name in package["dependencies"]
    }
    # npm installs by a lock only where both say the same of what was asked for.
    package["dependencies"] = lock["packages"][""]["dependencies"] = wanted
    return NodeRecipe(
        tuple(f"{name}@{version}" for name, version in sorted(wanted.items())),
        json.dumps(package, indent=2) + "\n",
        json.dumps(lock, indent=2) + "\n",
    )


def _check_digests(lock: dict[str, Any]) -> None:
    """Refuse a lock with a package that npm would take as it comes. Raises ValueError."""
    for place, each in lock["packages"].items():
        # What comes within another package is covered by that one's digest.
        if place and not each.get("integrity") and not each.get("inBundle"):
            raise ValueError(f"{place.removeprefix('node_modules/')} has no digest")
