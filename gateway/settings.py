"""The settings: environment and `.env` of the checkout, parsed once and strictly.

The only place that reads the process environment. A wrong value raises SettingsError with the
variable and what it accepts. Secrets leave the environment, so that no child can inherit them.
"""

import difflib
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from dotenv.parser import parse_stream

from gateway import variables as known
from gateway.budgets.price_file import PriceFileError, read_price_file
from gateway.budgets.prices import PriceList
from gateway.jobs.limits import ServerLimits
from gateway.machine_timezone import machine_timezone
from gateway.package_index import CERTIFICATES, read_index
from gateway.secret import Secret
from gateway.service.credentials import credentials_folder, find_credential
from gateway.service.manager import ServiceManager, read_service_manager
from gateway.variables import (
    CHECKOUT,
    VARIABLES,
    CodeChanges,
    HttpServer,
    LogFormat,
    Metrics,
    Network,
    Transport,
    Variable,
)
from sandboxes.network.hosts import Target
from sandboxes.packages.build import PackageIndex
from sandboxes.policy import Level

ENV_FILE = CHECKOUT / ".env"
SHOWN_CHARACTERS = 80
"""How much of a wrong value an error repeats."""
LOOKALIKE = 0.85
"""A name in `.env` this close to one of ours is a slip of the keyboard, not another program's."""

T = TypeVar("T")


class SettingsError(Exception):
    """A setting has a wrong value; the message is one sentence for the person who set it."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """What settings were read from; a later look is compared with it."""

    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """As the process was given it, with its secrets; no child ever gets it."""
    env_file: Path | None = None
    file: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """What stood in that file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting under the lower-case name of its variable; None: not set."""

    anthropic_api_key: Secret | None
    anthropic_base_url: str | None
    claude_model: str
    mcp_transport: Transport
    host: str
    port: int
    http_server: HttpServer
    public_url: str | None
    token_calls_per_s: int
    address_calls_per_s: int
    oauth_client_id: str | None
    oauth_client_secret: Secret | None
    oauth_secret_key: Secret | None
    dashboard_username: str | None
    dashboard_password: Secret | None
    ngrok_authtoken: Secret | None
    database_url: Secret | None
    node_name: str | None
    """None: the name of the machine."""
    home: Path
    fixed_servers_dir: Path
    dynamic_servers_dir: Path
    master_key_file: Path
    master_key: Secret | None
    default_timezone: str
    large_result_bytes: int
    long_call_s: float
    search_first_tools: int
    quarantine_deaths: int
    code_changes: CodeChanges
    sandbox: Level
    sandbox_uid_base: int
    run_concurrency: int
    run_standby_s: int
    """How long a CLI waits for a run like the last one; 0: none does."""
    audit_entries: int
    audit_days: int
    runs_kept: int
    runs_days: int
    run_folders: int
    run_folders_days: int
    run_files_mb: int
    """Most that is kept of all runs' files, in MiB."""
    webhook_sender_rate: int
    daily_budget_usd: int
    """As all budgets, integer micro-dollars; 0: no limit."""
    default_run_budget_usd: int
    default_job_daily_budget_usd: int
    default_run_turns: int
    default_run_timeout_s: float
    notify_after: int
    metrics: Metrics
    log_format: LogFormat
    otel_exporter_otlp_endpoint: str | None
    otel_exporter_otlp_headers: Secret | None
    otel_traces_sampler_arg: float
    """Which share of the traces that begin here is collected, from 0 to 1."""
    healthcheck_url: Secret | None = None
    server_concurrency: ServerLimits = field(default_factory=ServerLimits)
    package_hosts: tuple[Target, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    prices_file: Path | None = None
    master_key_credential: Path | None = field(default=None, compare=False)
    """Where systemd puts a credential of this name for the service, whether it is there or not."""
    service: ServiceManager = field(default_factory=ServiceManager, compare=False)
    """What started this process."""
    index: PackageIndex = field(default_factory=PackageIndex, compare=False)
    """Where packages of servers come from: the machine's settings of uv, pip and npm."""
    certificates: Mapping[str, Path] = field(default_factory=dict[str, Path], compare=False)
    """Files of further authorities that this machine's variables name, for the CLI of runs."""
    prices: PriceList = field(default_factory=PriceList, compare=False)
    """The shipped ones and before them those of PRICES_FILE."""
    read_from: ReadFrom = field(default_factory=ReadFrom, compare=False, repr=False)


def load(
    environ: MutableMapping[str, str] = os.environ, env_file: Path | None = ENV_FILE
) -> Settings:
    """Read all settings; the environment wins over the file. Removes the secrets from `environ`.

    Raises SettingsError.
    """
    file = read_env_file(env_file) if env_file else {}
    read_from = ReadFrom(dict(environ), env_file, file)
    source = _Source(read_from.environ, file, credentials_folder(environ))
    home = source.read(known.CLAUDE_RUNNER_HOME)
    package_hosts = source.optional(known.PACKAGE_HOSTS) or ()
    prices_file = source.optional(known.PRICES_FILE)
    settings = Settings(
        anthropic_api_key=source.optional(known.ANTHROPIC_API_KEY),
        anthropic_base_url=source.optional(known.ANTHROPIC_BASE_URL),
        claude_model=source.read(known.CLAUDE_MODEL),
        mcp_transport=source.read(known.MCP_TRANSPORT),
        host=source.read(known.HOST),
        port=source.read(known.PORT),
        http_server=source.read(known.HTTP_SERVER),
        public_url=source.optional(known.PUBLIC_URL),
        token_calls_per_s=source.read(known.TOKEN_CALLS_PER_S),
        address_calls_per_s=source.read(known.ADDRESS_CALLS_PER_S),
        oauth_client_id=source.optional(known.OAUTH_CLIENT_ID),
        oauth_client_secret=source.optional(known.OAUTH_CLIENT_SECRET),
        oauth_secret_key=source.optional(known.OAUTH_SECRET_KEY),
        dashboard_username=source.optional(known.DASHBOARD_USERNAME),
        dashboard_password=source.optional(known.DASHBOARD_PASSWORD),
        ngrok_authtoken=source.optional(known.NGROK_AUTHTOKEN),
        database_url=source.optional(known.DATABASE_URL),
        node_name=source.optional(known.NODE_NAME),
        home=home,
        fixed_servers_dir=source.read(known.FIXED_SERVERS_DIR),
        dynamic_servers_dir=source.read(known.DYNAMIC_SERVERS_DIR),
        master_key_file=source.optional(known.MASTER_KEY_FILE) or Path(f"{home}.key"),
        master_key=source.optional(known.MASTER_KEY),
        default_timezone=source.optional(known.DEFAULT_TIMEZONE) or machine_timezone(environ),
        large_result_bytes=source.read(known.LARGE_RESULT_BYTES),
        long_call_s=source.read(known.LONG_CALL_S),
        search_first_tools=source.read(known.SEARCH_FIRST_TOOLS),
        quarantine_deaths=source.read(known.QUARANTINE_DEATHS),
        code_changes=source.read(known.CODE_CHANGES),
        sandbox=source.read(known.SANDBOX),
        sandbox_uid_base=source.read(known.SANDBOX_UID_BASE),
        run_concurrency=source.read(known.RUN_CONCURRENCY),
        run_standby_s=source.read(known.RUN_STANDBY_S),
        server_concurrency=source.optional(known.SERVER_CONCURRENCY) or ServerLimits(),
        audit_entries=source.read(known.AUDIT_ENTRIES),
        audit_days=source.read(known.AUDIT_DAYS),
        runs_kept=source.read(known.RUNS_KEPT),
        runs_days=source.read(known.RUNS_DAYS),
        run_folders=source.read(known.RUN_FOLDERS),
        run_folders_days=source.read(known.RUN_FOLDERS_DAYS),
        run_files_mb=source.read(known.RUN_FILES_MB),
        notify_after=source.read(known.NOTIFY_AFTER),
        metrics=source.read(known.METRICS),
        log_format=source.read(known.LOG_FORMAT),
        otel_exporter_otlp_endpoint=source.optional(known.OTEL_EXPORTER_OTLP_ENDPOINT),
        otel_exporter_otlp_headers=source.optional(known.OTEL_EXPORTER_OTLP_HEADERS),
        otel_traces_sampler_arg=source.read(known.OTEL_TRACES_SAMPLER_ARG),
        healthcheck_url=source.optional(known.HEALTHCHECK_URL),
        webhook_sender_rate=source.read(known.WEBHOOK_SENDER_RATE),
        daily_budget_usd=source.read(known.DAILY_BUDGET_USD),
        default_run_budget_usd=source.read(known.DEFAULT_RUN_BUDGET_USD),
        default_job_daily_budget_usd=source.read(known.DEFAULT_JOB_DAILY_BUDGET_USD),
        default_run_turns=source.read(known.DEFAULT_RUN_TURNS),
        default_run_timeout_s=source.read(known.DEFAULT_RUN_TIMEOUT_S),
        package_hosts=package_hosts,
        trusted_proxies=source.optional(known.TRUSTED_PROXIES) or (),
        prices_file=prices_file,
        master_key_credential=_credential_of_the_key(environ),
        service=read_service_manager(environ),
        index=replace(read_index(environ), further_hosts=package_hosts),
        certificates=_certificates(environ),
        prices=_prices(prices_file),
        read_from=read_from,
    )
    _check_together(settings)
    for variable in VARIABLES:
        if variable.secret:
            environ.pop(variable.name, None)
    return settings


def _credential_of_the_key(environ: Mapping[str, str]) -> Path | None:
    folder = credentials_folder(environ)
    return None if folder is None else folder / "master.key"


def _prices(path: Path | None) -> PriceList:
    try:
        return PriceList() if path is None else read_price_file(path)
    except PriceFileError as error:
        raise SettingsError("PRICES_FILE", f"names {path}, which {error}.") from None


def _certificates(environ: Mapping[str, str]) -> dict[str, Path]:
    named = {name: Path(environ[name]) for name in CERTIFICATES if environ.get(name)}
    return {name: path for name, path in named.items() if path.is_absolute() and path.is_file()}


def _check_together(settings: Settings) -> None:
    """Raise SettingsError for values that are right alone and wrong together."""
    if CHECKOUT.is_relative_to(settings.home):
        raise SettingsError(
            "CLAUDE_RUNNER_HOME", "must not contain the checkout; name a folder of its own."
        )
    if settings.master_key_file.is_relative_to(settings.home):
        raise SettingsError(
            "MASTER_KEY_FILE", f"must lie outside CLAUDE_RUNNER_HOME ({settings.home})."
        )
    if settings.dashboard_username and not settings.dashboard_password:
        raise SettingsError("DASHBOARD_PASSWORD", "must be set when DASHBOARD_USERNAME is.")
    if settings.dashboard_password and not settings.dashboard_username:
        raise SettingsError("DASHBOARD_USERNAME", "must be set when DASHBOARD_PASSWORD is.")
    if settings.ngrok_authtoken and not settings.dashboard_password:
        raise SettingsError(
            "NGROK_AUTHTOKEN", "opens the dashboard to everybody; set DASHBOARD_PASSWORD too."
        )
    if settings.ngrok_authtoken and settings.sandbox is Level.OFF:
        raise SettingsError(
            "NGROK_AUTHTOKEN", "must not be set with SANDBOX=off; set SANDBOX to strong or reduced."
        )
    if settings.otel_exporter_otlp_headers and not settings.otel_exporter_otlp_endpoint:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "must be set when OTEL_EXPORTER_OTLP_HEADERS is."
        )
    if settings.oauth_client_secret and not settings.oauth_client_id:
        raise SettingsError("OAUTH_CLIENT_ID", "must be set when OAUTH_CLIENT_SECRET is.")


class _Source:
    """Finds the text of a variable: environment, file, systemd's credential, default."""

    def __init__(
        self, environ: Mapping[str, str], file: Mapping[str, str], credentials: Path | None
    ) -> None:
        self._places = (environ, file)
        self._credentials = credentials

    def read(self, variable: Variable[T]) -> T:
        """Return the value of a variable that has a default."""
        raw = self._raw(variable)
        if raw is None:
            assert variable.default is not None, f"{variable.name} has no default"
            raw = variable.default
        return _parse(variable, raw)

    def optional(self, variable: Variable[T]) -> T | None:
        """Return the value, or None when nobody set it."""
        raw = self._raw(variable)
        return None if raw is None else _parse(variable, raw)

    def _raw(self, variable: Variable[object]) -> str | None:
        """Return what was set. An empty value counts as not set, as compose files write it."""
        written, handed = self._written(variable), find_credential(variable, self._credentials)
        if handed is None:
            return written
        if written is not None:
            raise SettingsError(
                variable.name, f"is set, and so is the credential {handed}; keep one."
            )
        return _read_secret_file(variable.name, handed)

    def _written(self, variable: Variable[object]) -> str | None:
        for place in self._places:
            raw = place.get(variable.name) or None
            by_file = variable.secret and not variable.file_is_a_setting
            file = place.get(f"{variable.name}_FILE") if by_file else None
            if raw and file:
                raise SettingsError(
                    variable.name, f"and {variable.name}_FILE are both set; keep one."
                )
            if raw or file:
                return raw or _read_secret_file(f"{variable.name}_FILE", Path(file or ""))
        return None


def _parse(variable: Variable[T], raw: str) -> T:
    try:
        return variable.parse(raw)
    except ValueError:
        # An address may hold a user and a password.
        private = variable.secret or "@" in raw
        shown = "a value it does not accept" if private else repr(raw[:SHOWN_CHARACTERS])
        raise SettingsError(variable.name, f"is {shown}; it accepts {variable.accepts}.") from None


def _read_secret_file(name: str, path: Path) -> str:
    try:
        value = (CHECKOUT / path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(name, f"names {path}, which cannot be read: {error}.") from None
    if not value:
        raise SettingsError(name, f"names {path}, which is empty.")
    return value


def read_env_file(path: Path) -> dict[str, str]:
    """Return the pairs of a `.env` file; a missing file is empty. Raises SettingsError."""
    if not path.exists():
        return {}
    pairs: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for line in parse_stream(stream):
                if line.error:
                    raise SettingsError(str(path), f"line {line.original.line} is not NAME=value.")
                if line.key:
                    _check_known(path, line.key)
                    pairs[line.key] = line.value or ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"cannot be read: {error}.") from None
    return pairs


def _check_known(path: Path, name: str) -> None:
    """Refuse a misspelt setting; a name that resembles none of ours is another program's."""
    names = {variable.name for variable in VARIABLES}
    names |= {f"{variable.name}_FILE" for variable in VARIABLES if variable.secret}
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=LOOKALIKE)
    if name not in names and near:
        raise SettingsError(str(path), f"sets {name}, which is no setting; did you mean {near[0]}?")
