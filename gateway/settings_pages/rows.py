"""What the pages show of settings: where each comes from, and what waits for a restart. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway import variables as known
from gateway.setting_meanings import MEANINGS
from gateway.setting_origins import Origin, Standing, raw_value, standings_of
from gateway.settings import ReadFrom
from gateway.variables import Variable

HIDDEN = "(hidden)"
BY_COMMAND = frozenset(
    {
        known.SANDBOX,
        known.SANDBOX_UID_BASE,
        known.FIXED_SERVERS_DIR,
        known.DYNAMIC_SERVERS_DIR,
        known.CLAUDE_RUNNER_HOME,
        known.DATABASE_URL,
        known.PRICES_FILE,
        known.MASTER_KEY_FILE,
        known.MASTER_KEY,
        known.DASHBOARD_USERNAME,
        known.DASHBOARD_PASSWORD,
        known.CODE_CHANGES,
        known.AUDIT_ENTRIES,
        known.AUDIT_DAYS,
        known.HOST,
        known.PUBLIC_URL,
        known.NGROK_AUTHTOKEN,
        known.TRUSTED_PROXIES,
        known.OAUTH_CLIENT_ID,
        known.OAUTH_CLIENT_SECRET,
        known.OAUTH_SECRET_KEY,
        known.ANTHROPIC_API_KEY,
        known.ANTHROPIC_BASE_URL,
        known.HEALTHCHECK_URL,
        known.OTEL_EXPORTER_OTLP_ENDPOINT,
        known.OTEL_EXPORTER_OTLP_HEADERS,
        known.PACKAGE_HOSTS,
    }
)
"""What a browser's session must not decide, for a stolen one would then be worth the machine: the
fence around servers, the keys and places behind it, who reaches the gateway and who logs in, what
is written down of it all, where prompts, traces and keys are sent. Every secret is among them."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting as it holds now, and as it will after a restart."""

    name: str
    meaning: str
    accepts: str
    value: str
    """Empty: none; a secret's is never here."""
    origin: str
    default: str
    secret: bool
    in_file: bool
    waits: bool
    """The file says something else than when the gateway started."""
    next_value: str
    next_origin: str
    wins: bool
    """The environment sets it, so that the file does not count."""
    by_command: bool


def setting_rows(read: ReadFrom, file: Mapping[str, str]) -> tuple[SettingRow, ...]:
    """Return every setting in the order of the README; `file` is what the file says now."""
    running = standings_of(read.environ, read.file)
    coming = standings_of(read.environ, file)
    return tuple(_row(now, then, read, file) for now, then in zip(running, coming, strict=True))


def _row(now: Standing, then: Standing, read: ReadFrom, file: Mapping[str, str]) -> SettingRow:
    variable = now.variable
    wins = now.origin is Origin.ENVIRONMENT
    before = raw_value(variable, read.environ, read.file)
    return SettingRow(
        name=variable.name,
        meaning=MEANINGS[variable.name],
        accepts=variable.accepts,
        value=_shown(now),
        origin=now.origin.value,
        default=variable.default or "",
        secret=variable.secret,
        in_file=bool(file.get(variable.name)),
        waits=raw_value(variable, read.environ, file) != before and not wins,
        next_value=_shown(then),
        next_origin=then.origin.value,
        wins=wins,
        by_command=may_only_command(variable),
    )


def may_only_command(variable: Variable[object]) -> bool:
    """Tell whether only the command line changes a setting."""
    return variable in BY_COMMAND


def _shown(standing: Standing) -> str:
    if standing.variable.secret:
        return HIDDEN if standing.is_set else ""
    return standing.value or ""
