"""What an environment is made of: the declaration of a server, and the key under which it is kept.

Equal recipes have equal keys, so that servers with the same declaration share one environment.
"""

import hashlib
import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

FORMAT = 1
"""Changes when environments are built in another way, so that old ones are not used."""
KEY_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class PythonRecipe:
    """A virtual environment with these packages."""

    requirements: tuple[str, ...]
    """As pip reads them, one package each; sorted."""
    added: tuple[str, ...] = ()
    """Those of them that the declaration lacks and the code imports."""
    source_builds: bool = False
    """Whether packages may run their own build code; only the owner says so."""

    @property
    def is_locked(self) -> bool:
        """True where every package is named with digests: then nothing else is installed."""
        return all("--hash" in each for each in self.requirements)


@dataclass(frozen=True, slots=True)
class NodeRecipe:
    """A folder `node_modules`."""

    packages: tuple[str, ...]
    """Names and ranges of `package.json`, for people."""
    package: str
    """The text of `package.json`."""
    lock: str | None = None
    """The text of `package-lock.json`."""


Recipe = PythonRecipe | NodeRecipe


def declared_packages(recipe: Recipe | None) -> tuple[str, ...]:
    """Return the packages of a recipe as people write them; none for the shipped environment."""
    if recipe is None:
        return ()
    return recipe.requirements if isinstance(recipe, PythonRecipe) else recipe.packages


def key_of(recipe: Recipe, python: Path) -> str:
    """Return the name of a recipe's environment on this machine.

    `python` is the interpreter of Python servers; one that lies elsewhere, or is another version,
    needs other environments.
    """
    content: list[object] = [FORMAT, sys.platform, platform.machine(), platform.libc_ver()]
    if isinstance(recipe, PythonRecipe):
        content += [str(python.resolve()), sys.implementation.cache_tag]
        content += [recipe.requirements, recipe.source_builds]
    else:
        content += [recipe.package, recipe.lock]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:KEY_CHARACTERS]
