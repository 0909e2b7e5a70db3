"""The table of settings: each variable's name, what it accepts, how it is read, its default.

`gateway/settings.py` reads them; the README's table and `.env.example` are tested against this one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.jobs.limits import DEFAULT_CONCURRENCY, ServerLimits
from gateway.secret import Secret
from sandboxes.errors import InvalidHost
from sandboxes.network.hosts import HTTPS_PORT, Target, parse_target
from sandboxes.ownership import UID_BASE
from sandboxes.policy import Level

Network = IPv4Network | IPv6Network

CHECKOUT = Path(__file__).resolve().parents[1]

ARGON2ID = (
    r"\$argon2id\$v=19\$m=\d{1,7},t=\d{1,3},p=\d{1,2}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}"
)
"""A password's hash with its costs, as argon2's own tools write it."""

T_co = TypeVar("T_co", covariant=True)


class Transport(StrEnum):
    """How MCP callers reach the management tools (MCP_TRANSPORT).

    The listener for runs, servers and the dashboard is there in any case.
    """

    STDIO = "stdio"
    """Standard input and output; the gateway ends with its client."""
    HTTP = "http"
    """Streamable HTTP at `/mcp`."""
    SSE = "sse"
    """Streamable HTTP at `/mcp`, and server-sent events at `/sse`."""
    BOTH = "both"
    """`/mcp` and `/sse`, and stdio when standard input is a pipe."""


class HttpServer(StrEnum):
    """Which program carries HTTP requests (HTTP_SERVER); each name is also its distribution's."""

    HYPERCORN = "hypercorn"
    UVICORN = "uvicorn"


class CodeChanges(StrEnum):
    """What becomes of new code for a server that has credentials (CODE_CHANGES)."""

    RUN = "run"
    """It is started at once."""
    APPROVE = "approve"
    """It is kept, and started when the owner approves it."""


class Metrics(StrEnum):
    """Whether Prometheus finds figures at `/metrics` (METRICS)."""

    OFF = "off"
    ON = "on"


class LogFormat(StrEnum):
    """How log lines are written (LOG_FORMAT)."""

    TEXT = "text"
    JSON = "json"
    """One object a line."""


@dataclass(frozen=True, slots=True)
class Variable(Generic[T_co]):
    """One setting: its name, what it accepts, how it is read, and what holds without it."""

    name: str
    accepts: str
    """Completes the sentence "it accepts ..."."""
    parse: Callable[[str], T_co]
    """Raises ValueError for a value it does not accept."""
    default: str | None = None
    """As one would write it; None: unset, or derived from other settings."""
    secret: bool = False
    """Also read from the file that NAME_FILE names, and removed from the environment."""
    file_is_a_setting: bool = False
    """NAME_FILE is a variable with a meaning of its own, and may be set too."""


def _text(raw: str) -> str:
    if re.search(r"\s", raw):
        raise ValueError
    return raw


def _username(raw: str) -> str:
    if not raw.isprintable():
        raise ValueError
    return raw


def _password(raw: str) -> Secret:
    raw.encode("utf-8")  # raises ValueError for bytes that are no text
    if raw.startswith("$argon2") and not re.fullmatch(ARGON2ID, raw):
        raise ValueError
    return Secret(raw)


def _word_secret(raw: str) -> Secret:
    return Secret(_text(raw))


def _long_secret(raw: str) -> Secret:
    if len(raw) < 16:
        raise ValueError
    return Secret(raw)


def _key(raw: str) -> Secret:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", raw):
        raise ValueError
    return Secret(raw)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", raw) or not low <= int(raw) <= high:
            raise ValueError
        return int(raw)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", raw) or not low <= float(raw) <= high:
            raise ValueError
        return float(raw)

    return parse


def _micro_dollars(raw: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", raw) or float(raw) > 100_000:
        raise ValueError
    return round(float(raw) * 1_000_000)


def _host(raw: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+(%\w+)?", raw):
        raise ValueError
    return raw


def _node_name(raw: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,62}", raw):
        raise ValueError
    return raw


def _web_address(raw: str) -> str:
    parts = urlsplit(raw)
    extras = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or extras:
        raise ValueError
    _ = parts.port  # raises ValueError outside 0-65535
    return _text(raw).rstrip("/")


def _secret_address(raw: str) -> Secret:
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError
    _ = parts.port  # raises ValueError outside 0-65535
    return Secret(_text(raw))


def _origin(raw: str) -> str:
    address = _web_address(raw)
    if urlsplit(address).path:
        raise ValueError
    return address


def _postgresql(raw: str) -> Secret:
    if urlsplit(raw).scheme not in ("postgresql", "postgres"):
        raise ValueError
    return Secret(raw)


def _path(raw: str) -> Path:
    try:
        return (CHECKOUT / Path(raw).expanduser()).resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError from error


def _timezone(raw: str) -> str:
    try:
        return ZoneInfo(raw).key
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError from error


def _targets(raw: str) -> tuple[Target, ...]:
    words = [word.strip() for word in raw.split(",")]
    try:
        return tuple(
            parse_target(word if ":" in word else f"{word}:{HTTPS_PORT}") for word in words
        )
    except InvalidHost as error:
        raise ValueError from error


def _networks(raw: str) -> tuple[Network, ...]:
    networks = tuple(ip_network(word.strip()) for word in raw.split(","))
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError
    return networks


def _share(raw: str) -> float:
    if not re.fullmatch(r"[0-9](\.[0-9]{1,6})?", raw) or float(raw) > 1:
        raise ValueError
    return float(raw)


def _header_pairs(raw: str) -> Secret:
    if not all(re.fullmatch(r"\s*[A-Za-z0-9-]+=[^\s,]+\s*", pair) for pair in raw.split(",")):
        raise ValueError
    return Secret(raw)


def _server_limits(raw: str) -> ServerLimits:
    every: int | None = None
    named: dict[str, int] = {}
    for word in raw.split(","):
        name, equals, number = word.strip().rpartition("=")
        limit = _whole(1, 100)(number)
        if equals and re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name) and name not in named:
            named[name] = limit
        elif not equals and every is None:
            every = limit
        else:
            raise ValueError
    return ServerLimits(every, named)


_FOLDER = "a path; a relative one counts from the checkout"
_WORD = "text without spaces"
_MONEY = "a number from 0 to 100000"

ANTHROPIC_API_KEY = Variable("ANTHROPIC_API_KEY", _WORD, _word_secret, secret=True)
ANTHROPIC_BASE_URL = Variable("ANTHROPIC_BASE_URL", "an http:// or https:// address", _web_address)
CLAUDE_MODEL = Variable("CLAUDE_MODEL", "a model name or alias", _text, "sonnet")
MCP_TRANSPORT = Variable("MCP_TRANSPORT", "stdio, http, sse or both", Transport, "both")
HOST = Variable("HOST", "an address or host name, without scheme or port", _host, "127.0.0.1")
PORT = Variable("PORT", "a whole number from 0 to 65535", _whole(0, 65535), "8080")
HTTP_SERVER = Variable("HTTP_SERVER", "hypercorn or uvicorn", HttpServer, "hypercorn")
PUBLIC_URL = Variable("PUBLIC_URL", "an http:// or https:// address without a path", _origin)
TRUSTED_PROXIES = Variable(
    "TRUSTED_PROXIES",
    "addresses or networks with commas between them, such as 127.0.0.1, 10.0.0.0/8",
    _networks,
)
TOKEN_CALLS_PER_S = Variable(
    "TOKEN_CALLS_PER_S", "a whole number from 0 to 100000", _whole(0, 100_000), "0"
)
ADDRESS_CALLS_PER_S = Variable(
    # claude.ai calls from few addresses for everybody, but only its owner's connector is here.
    "ADDRESS_CALLS_PER_S",
    "a whole number from 0 to 100000",
    _whole(0, 100_000),
    "200",
)
OAUTH_CLIENT_ID = Variable("OAUTH_CLIENT_ID", _WORD, _text)
OAUTH_CLIENT_SECRET = Variable(
    "OAUTH_CLIENT_SECRET", "at least 16 characters", _long_secret, secret=True
)
OAUTH_SECRET_KEY = Variable("OAUTH_SECRET_KEY", "at least 16 characters", _long_secret, secret=True)
DASHBOARD_USERNAME = Variable("DASHBOARD_USERNAME", "printable text", _username)
DASHBOARD_PASSWORD = Variable(
    "DASHBOARD_PASSWORD",
    "any text, or the whole hash that `dashboard password` makes",
    _password,
    secret=True,
)
NGROK_AUTHTOKEN = Variable("NGROK_AUTHTOKEN", _WORD, _word_secret, secret=True)
DATABASE_URL = Variable("DATABASE_URL", "a postgresql:// address", _postgresql, secret=True)
NODE_NAME = Variable(
    "NODE_NAME", "up to 63 letters, digits, dots, dashes and underscores", _node_name
)
CLAUDE_RUNNER_HOME = Variable("CLAUDE_RUNNER_HOME", _FOLDER, _path, "var")
FIXED_SERVERS_DIR = Variable("FIXED_SERVERS_DIR", _FOLDER, _path, "fixed-servers")
DYNAMIC_SERVERS_DIR = Variable("DYNAMIC_SERVERS_DIR", _FOLDER, _path, "dynamic_servers")
MASTER_KEY_FILE = Variable("MASTER_KEY_FILE", "a path outside CLAUDE_RUNNER_HOME", _path)
MASTER_KEY = Variable(
    "MASTER_KEY", "64 hexadecimal digits", _key, secret=True, file_is_a_setting=True
)
DEFAULT_TIMEZONE = Variable(
    "DEFAULT_TIMEZONE", "an IANA time zone such as Europe/Berlin", _timezone
)
LARGE_RESULT_BYTES = Variable(
    "LARGE_RESULT_BYTES",
    "a whole number from 1000 to 10000000",
    _whole(1000, 10_000_000),
    # Claude Code takes 25,000 tokens, claude.ai 150,000 characters.
    "60000",
)
LONG_CALL_S = Variable(
    "LONG_CALL_S",
    "a number of seconds from 0.1 to 3600",
    _seconds(0.1, 3600),
    # claude.ai gives up after 300 s, for some users after 60.
    "50",
)
SEARCH_FIRST_TOOLS = Variable(
    "SEARCH_FIRST_TOOLS", "a whole number from 0 to 100000", _whole(0, 100_000), "0"
)
QUARANTINE_DEATHS = Variable(
    "QUARANTINE_DEATHS", "a whole number from 1 to 100000", _whole(1, 100_000), "5"
)
CODE_CHANGES = Variable("CODE_CHANGES", "run or approve", CodeChanges, "run")
SANDBOX = Variable("SANDBOX", "strong, reduced or off", Level, "strong")
SANDBOX_UID_BASE = Variable(
    "SANDBOX_UID_BASE",
    "a whole number from 1000 to 4000000000",
    _whole(1000, 4_000_000_000),
    str(UID_BASE),
)
RUN_CONCURRENCY = Variable(
    "RUN_CONCURRENCY", "a whole number from 1 to 100", _whole(1, 100), str(DEFAULT_CONCURRENCY)
)
RUN_STANDBY_S = Variable(
    "RUN_STANDBY_S", "a whole number from 0 to 86400", _whole(0, 86_400), "300"
)
SERVER_CONCURRENCY = Variable(
    "SERVER_CONCURRENCY",
    "a whole number, server=number pairs, or both, with commas between them",
    _server_limits,
)
AUDIT_ENTRIES = Variable(
    "AUDIT_ENTRIES",
    "a whole number from 0 to 10000000",
    _whole(0, 10_000_000),
    # About 80 MB of database.
    "200000",
)
AUDIT_DAYS = Variable("AUDIT_DAYS", "a whole number from 1 to 3650", _whole(1, 3650), "90")
RUN_FOLDERS = Variable("RUN_FOLDERS", "a whole number from 0 to 5000", _whole(0, 5000), "100")
RUN_FOLDERS_DAYS = Variable(
    "RUN_FOLDERS_DAYS", "a whole number from 0 to 3650", _whole(0, 3650), "7"
)
RUN_FILES_MB = Variable(
    "RUN_FILES_MB", "a whole number from 0 to 1000000", _whole(0, 1_000_000), "1024"
)
WEBHOOK_SENDER_RATE = Variable(
    "WEBHOOK_SENDER_RATE", "a whole number from 0 to 1000000", _whole(0, 1_000_000), "600"
)
PRICES_FILE = Variable("PRICES_FILE", _FOLDER, _path)
RUNS_KEPT = Variable(
    "RUNS_KEPT", "a whole number from 100 to 10000000", _whole(100, 10_000_000), "10000"
)
RUNS_DAYS = Variable("RUNS_DAYS", "a whole number from 3 to 3650", _whole(3, 3650), "90")
DAILY_BUDGET_USD = Variable("DAILY_BUDGET_USD", _MONEY, _micro_dollars, "0")
DEFAULT_RUN_BUDGET_USD = Variable("DEFAULT_RUN_BUDGET_USD", _MONEY, _micro_dollars, "5")
DEFAULT_JOB_DAILY_BUDGET_USD = Variable("DEFAULT_JOB_DAILY_BUDGET_USD", _MONEY, _micro_dollars, "0")
DEFAULT_RUN_TURNS = Variable(
    "DEFAULT_RUN_TURNS", "a whole number from 0 to 1000", _whole(0, 1000), "0"
)
DEFAULT_RUN_TIMEOUT_S = Variable(
    "DEFAULT_RUN_TIMEOUT_S", "a number of seconds from 1 to 86400", _seconds(1, 86_400), "1800"
)
NOTIFY_AFTER = Variable("NOTIFY_AFTER", "a whole number from 0 to 1000", _whole(0, 1000), "1")
HEALTHCHECK_URL = Variable(
    "HEALTHCHECK_URL", "an http:// or https:// address", _secret_address, secret=True
)
PACKAGE_HOSTS = Variable(
    "PACKAGE_HOSTS", "host names with commas between them, each perhaps with a :port", _targets
)
METRICS = Variable("METRICS", "off or on", Metrics, "off")
LOG_FORMAT = Variable("LOG_FORMAT", "text or json", LogFormat, "text")
OTEL_EXPORTER_OTLP_ENDPOINT = Variable(
    "OTEL_EXPORTER_OTLP_ENDPOINT", "an http:// or https:// address", _web_address
)
OTEL_EXPORTER_OTLP_HEADERS = Variable(
    "OTEL_EXPORTER_OTLP_HEADERS",
    "name=value pairs with commas between them",
    _header_pairs,
    secret=True,
)
OTEL_TRACES_SAMPLER_ARG = Variable("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1", _share, "1")

VARIABLES: tuple[Variable[object], ...] = (
    ANTHROPIC_API_KEY,
    ANTHROPIC_BASE_URL,
    CLAUDE_MODEL,
    MCP_TRANSPORT,
    HOST,
    PORT,
    HTTP_SERVER,
    PUBLIC_URL,
    TRUSTED_PROXIES,
    TOKEN_CALLS_PER_S,
    ADDRESS_CALLS_PER_S,
    OAUTH_CLIENT_ID,
    OAUTH_CLIENT_SECRET,
    OAUTH_SECRET_KEY,
    DASHBOARD_USERNAME,
    DASHBOARD_PASSWORD,
    NGROK_AUTHTOKEN,
    DATABASE_URL,
    NODE_NAME,
    CLAUDE_RUNNER_HOME,
    FIXED_SERVERS_DIR,
    DYNAMIC_SERVERS_DIR,
    MASTER_KEY_FILE,
    MASTER_KEY,
    DEFAULT_TIMEZONE,
    LARGE_RESULT_BYTES,
    LONG_CALL_S,
    SEARCH_FIRST_TOOLS,
    QUARANTINE_DEATHS,
    CODE_CHANGES,
    SANDBOX,
    SANDBOX_UID_BASE,
    PACKAGE_HOSTS,
    RUN_CONCURRENCY,
    SERVER_CONCURRENCY,
    RUN_STANDBY_S,
    AUDIT_ENTRIES,
    AUDIT_DAYS,
    RUNS_KEPT,
    RUNS_DAYS,
    RUN_FOLDERS,
    RUN_FOLDERS_DAYS,
    RUN_FILES_MB,
    WEBHOOK_SENDER_RATE,
    PRICES_FILE,
    DAILY_BUDGET_USD,
    DEFAULT_RUN_BUDGET_USD,
    DEFAULT_JOB_DAILY_BUDGET_USD,
    DEFAULT_RUN_TURNS,
    DEFAULT_RUN_TIMEOUT_S,
    NOTIFY_AFTER,
    METRICS,
    LOG_FORMAT,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_TRACES_SAMPLER_ARG,
    HEALTHCHECK_URL,
)
