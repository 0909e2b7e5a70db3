"""Which hosts a build may ask for packages: those of the indexes that this machine is set to.

The owner chose them, so they may be addresses, private ones and plain http as well. Where nothing
is set, pip and npm themselves say which index is public. Blocking.
"""

import importlib
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from sandboxes.environment import SYSTEM_PATH
from sandboxes.network.hosts import HTTPS_PORT, Target

PORTS = {"https": HTTPS_PORT, "http": 80}
DEFAULT_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
FURTHER_INDEXES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
"""Variables that hold addresses separated by spaces, each perhaps with a name before it."""
REGISTRY = "npm_config_registry"
NPM_S = 20.0


def python_hosts(variables: Mapping[str, str], uv_config: Path | None) -> tuple[Target, ...]:
    """Return the host and port of every index that uv may ask, and of its files."""
    config = _read(uv_config)
    urls = [variables[name] for name in DEFAULT_INDEX if variables.get(name)] + _defaults(config)
    urls = urls or [f"https://{next(iter(public_indexes()))}"]
    for name in FURTHER_INDEXES:
        urls += [word.partition("=")[2] or word for word in variables.get(name, "").split()]
    return _targets([*urls, *_further(config)])


def node_hosts(variables: Mapping[str, str], npm: str) -> tuple[Target, ...]:
    """Return the host and port of the registry that this npm asks."""
    return _targets([variables.get(REGISTRY) or public_registry(npm)])


@cache
def public_indexes() -> dict[str, str]:
    """Return the hosts of the public indexes, the usual one first, each with that of its files.

    pip came with this Python and knows them; uv asks the same ones and does not tell.
    """
    known = importlib.import_module("pip._internal.models.index")
    return {index.netloc: index.file_storage_domain for index in (known.PyPI, known.TestPyPI)}


@cache
def public_registry(npm: str) -> str:
    """Return the address of the registry that npm asks where nobody has set one."""
    asked = (npm, "config", "get", "registry")
    env = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent"}
    done = subprocess.run(
        asked, env=env, cwd="/", capture_output=True, text=True, timeout=NPM_S, check=False
    )
    return done.stdout.strip()


def _targets(urls: Iterable[str]) -> tuple[Target, ...]:
    targets = [target for url in urls if (target := _target(url))]
    files = public_indexes()
    targets += [Target(files[each.name], HTTPS_PORT) for each in targets if each.name in files]
    return tuple(dict.fromkeys(targets))


def _target(url: str) -> Target | None:
    """Return where an address leads; None for a folder of this machine."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Target(name, parts.port or PORTS[parts.scheme])


def _read(uv_config: Path | None) -> Mapping[str, Any]:
    if uv_config is None:
        return {}
    try:
        return tomllib.loads(uv_config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # uv itself says what is wrong with it.
        return {}


def _defaults(config: Mapping[str, Any]) -> list[str]:
    named = [str(each.get("url", "")) for each in _tables(config) if each.get("default") is True]
    return [*named, *_texts(_sections(config), "index-url")]


def _further(config: Mapping[str, Any]) -> list[str]:
    urls = [str(each.get("url", "")) for each in _tables(config)]
    return [
        *urls,
        *_texts(_sections(config), "extra-index-url"),
        *_texts(_sections(config), "find-links"),
    ]


def _sections(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield config
    if isinstance(config.get("pip"), dict):
        yield config["pip"]


def _tables(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = config.get("index")
    return (
        [each for each in cast("list[Any]", found) if isinstance(each, dict)]
        if isinstance(found, list)
        else []
    )


def _texts(sections: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    found: list[str] = []
    for section in sections:
        value = section.get(key, [])
        found += [value] if isinstance(value, str) else [str(each) for each in value]
    return found
