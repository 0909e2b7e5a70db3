"""Where this machine gets packages from: what uv and npm are told, and nothing else.

uv's own variables and `uv.toml` count first; without an index there, pip's index stands in. Of
npm's configuration the registry counts, its tokens do not.
"""

import configparser
from collections.abc import Iterator, Mapping
from pathlib import Path

from sandboxes.packages.build import PackageIndex

PASSED = frozenset(
    {
        "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_HTTP_TIMEOUT", "UV_INSECURE_HOST",
        "UV_NATIVE_TLS", "UV_OFFLINE", "UV_SYSTEM_CERTS",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    }
)  # fmt: skip
PASSED_PREFIX = "UV_INDEX"
"""Also `UV_INDEX_<NAME>_PASSWORD`, which the owner sets for that index alone."""
INDEX_CHOSEN = frozenset({"UV_DEFAULT_INDEX", "UV_INDEX_URL"})
CERTIFICATES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


def read_index(environ: Mapping[str, str]) -> PackageIndex:
    """Return what builds are told; the owner's files count as far as HOME names their folder."""
    own = Path(environ.get("HOME") or "/")
    passed = {
        key: value
        for key, value in environ.items()
        if value and (key.upper() in PASSED or key.upper().startswith(PASSED_PREFIX))
    }
    config = _first(_uv_configs(environ, own))
    pip = _pip(environ, own)
    if config is None and not INDEX_CHOSEN & set(passed) and pip.get("index-url"):
        passed["UV_DEFAULT_INDEX"] = pip["index-url"]
    if "SSL_CERT_FILE" not in passed and pip.get("cert"):
        passed["SSL_CERT_FILE"] = pip["cert"]
    registry = _registry(environ, own)
    if registry:
        passed["npm_config_registry"] = registry
    readable = {Path(passed[key]) for key in CERTIFICATES if key in passed}
    return PackageIndex(passed, config, tuple(sorted(p for p in readable if p.is_file())))


def _uv_configs(environ: Mapping[str, str], own: Path) -> Iterator[Path]:
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
    yield Path(environ.get("XDG_CONFIG_HOME") or own / ".config") / "uv" / "uv.toml"
    yield Path("/etc/uv/uv.toml")


def _pip(environ: Mapping[str, str], own: Path) -> dict[str, str]:
    """Return pip's index and certificates: its variables, then its files, the owner's first."""
    found: dict[str, str] = {}
    for key, variable in (("index-url", "PIP_INDEX_URL"), ("cert", "PIP_CERT")):
        if environ.get(variable):
            found[key] = environ[variable]
    files = (own / ".config/pip/pip.conf", own / ".pip/pip.conf", Path("/etc/pip.conf"))
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue
        for key in ("index-url", "cert"):
            value = parser.get("global", key, fallback="")
            if value:
                found.setdefault(key, value)
    return found


def _registry(environ: Mapping[str, str], own: Path) -> str | None:
    for key in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if environ.get(key):
            return environ[key]
    for path in (own / ".npmrc", Path("/etc/npmrc")):
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            key, _, value = line.partition("=")
            if key.strip() == "registry" and value.strip():
                return value.strip()
    return None


def _first(paths: Iterator[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
