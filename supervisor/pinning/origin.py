"""What tells an owner's edit from a server's own doing: the code and the packages of a child.

Two children of one origin differ only by what the server itself did, or what it fetched.
"""

import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from sandboxes.packages.recipe import key_of
from supervisor.spec import ServerSpec


def origin_of(spec: ServerSpec, python: Path) -> str:
    """Return the origin of a server's children; `python` is the interpreter of Python servers."""
    packages = ""
    if spec.recipe is not None:
        packages = key_of(spec.recipe, python)
    elif spec.command is None:
        packages = _shipped()
    return sha256(f"{spec.digest} {packages}".encode()).hexdigest()


@cache
def _shipped() -> str:
    """Return the digest of the shipped packages: an upgrade of them is their owner's edit."""
    installed = sorted(f"{each.name}=={each.version}" for each in distributions())
    return sha256("\n".join((sys.implementation.cache_tag or "", *installed)).encode()).hexdigest()
