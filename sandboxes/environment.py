"""The environment of a child, built from nothing: what is not named here or declared is not there.

A variable is set before the sandbox stands, so one that steers the loader or an interpreter
would run code outside of it; such names are refused for credentials and plain variables alike.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from sandboxes.errors import RefusedName

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
OURS = frozenset({"PATH", "HOME", "TMPDIR", "DATA_DIR", "LANG", "USER", "LOGNAME", "SHELL", "PWD"})
PYTHON_SWITCHES = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE")
GIVEN = OURS - {"SHELL", "PWD"} | set(PYTHON_SWITCHES)
"""What every child finds."""
LOADS_CODE = frozenset(
    {
        "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "IFS", "CDPATH",
        "GLOBIGNORE", "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS",
        "NODE_REPL_EXTERNAL_MODULE",
        "GCONV_PATH", "LOCPATH", "NLSPATH", "TERMINFO", "TERMINFO_DIRS", "HOSTALIASES",
        "RES_OPTIONS", "LOCALDOMAIN", "RESOLV_HOST_CONF", "TZDIR", "GETCONF_DIR",
        "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE", "SSLKEYLOGFILE", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH",
        "RUBYOPT", "RUBYLIB", "VIRTUAL_ENV",
    }
)  # fmt: skip
LOADS_CODE_PREFIXES = (
    "LD_", "PYTHON", "GLIBC_", "MALLOC_", "SSL_CERT_", "BASH_FUNC_", "PERL", "DYLD_",
)  # fmt: skip
LOADER_PREFIXES = ("LD_", "GLIBC_", "MALLOC_", "GCONV_", "LOCPATH")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
MAX_VALUE_BYTES = 64 * 1024
"""Linux takes 128 KiB for one variable with its name; one sentence is better than E2BIG."""


def check_name(key: str) -> None:
    """Accept a name for a credential or plain variable of a server.

    Raises:
        RefusedName: it is no variable name of ours, is set by us, or steers loader, interpreter,
            shell, proxy or certificates.
    """
    if not NAME.fullmatch(key):
        raise RefusedName(
            key,
            "use 1 to 64 capital letters, digits and underscores, starting with a letter",
        )
    if key in OURS:
        raise RefusedName(key, "the sandbox sets it itself")
    if key.endswith("_PROXY"):
        raise RefusedName(key, "it would redirect the server's network traffic")
    if key in LOADS_CODE or key.startswith(LOADS_CODE_PREFIXES):
        raise RefusedName(key, "it changes what programs load before the sandbox stands")


def check_value(key: str, value: str) -> None:
    """Accept the value of variable `key`; the message never quotes it.

    Raises:
        RefusedName: it cannot be carried by an environment.
    """
    if "\0" in value:
        raise RefusedName(key, "its value has a NUL character, which no environment can carry")
    if len(value.encode("utf-8", "surrogateescape")) > MAX_VALUE_BYTES:
        raise RefusedName(key, f"its value is longer than {MAX_VALUE_BYTES} bytes")


def check_loader(environment: Mapping[str, str]) -> None:
    """Refuse what would run code in our own launcher, whoever built the mapping.

    Raises:
        RefusedName: a variable steers the dynamic loader or the C library.
    """
    for key in environment:
        if key.startswith(LOADER_PREFIXES):
            raise RefusedName(key, "it changes what programs load before the sandbox stands")


def child_environment(
    *,
    data_dir: Path,
    private: Path,
    declared: Mapping[str, str],
    plain: Mapping[str, str] | None = None,
    programs: Path | None = None,
) -> dict[str, str]:
    """Return the whole environment of a child.

    `declared` are its credentials, `plain` the variables of its metadata; a credential wins
    over a plain variable of the same name. HOME is `private` and TMPDIR `private/tmp`; PATH
    begins with `programs`, the folder of an environment of its own.

    Raises:
        RefusedName: a name or a value cannot be passed.
    """
    wanted = {**(plain or {}), **declared}
    for key, value in wanted.items():
        check_name(key)
        check_value(key, value)
    return {
        "PATH": f"{programs}:{SYSTEM_PATH}" if programs else SYSTEM_PATH,
        "HOME": str(private),
        "TMPDIR": str(private / "tmp"),
        "DATA_DIR": str(data_dir),
        "LANG": "C.UTF-8",
        "USER": "server",
        "LOGNAME": "server",
        **dict.fromkeys(PYTHON_SWITCHES, "1"),
        **wanted,
    }
