"""Settings: strict, once, `.env` below the environment, secrets never lying about."""

import copy
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.jobs.limits import ServerLimits
from gateway.machine_timezone import machine_timezone
from gateway.secret import Secret
from gateway.settings import CHECKOUT, Settings, SettingsError, load
from gateway.variables import (
    VARIABLES,
    CodeChanges,
    HttpServer,
    LogFormat,
    Metrics,
    Transport,
)
from sandboxes.network.hosts import Target
from sandboxes.policy import Level

UNSET = Settings(
    anthropic_api_key=None,
    anthropic_base_url=None,
    claude_model="sonnet",
    mcp_transport=Transport.BOTH,
    host="127.0.0.1",
    port=8080,
    http_server=HttpServer.HYPERCORN,
    public_url=None,
    token_calls_per_s=0,
    address_calls_per_s=200,
    oauth_client_id=None,
    oauth_client_secret=None,
    oauth_secret_key=None,
    dashboard_username=None,
    dashboard_password=None,
    ngrok_authtoken=None,
    database_url=None,
    node_name=None,
    home=CHECKOUT / "var",
    fixed_servers_dir=CHECKOUT / "fixed-servers",
    dynamic_servers_dir=CHECKOUT / "dynamic_servers",
    master_key_file=CHECKOUT / "var.key",
    master_key=None,
    default_timezone=machine_timezone({}),
    large_result_bytes=60_000,
    long_call_s=50.0,
    search_first_tools=0,
    quarantine_deaths=5,
    code_changes=CodeChanges.RUN,
    sandbox=Level.STRONG,
    sandbox_uid_base=70_000,
    run_concurrency=3,
    run_standby_s=300,
    audit_entries=200_000,
    audit_days=90,
    run_folders=100,
    run_folders_days=7,
    run_files_mb=1024,
    webhook_sender_rate=600,
    daily_budget_usd=0,
    default_run_budget_usd=5_000_000,
    default_job_daily_budget_usd=0,
    default_run_turns=0,
    default_run_timeout_s=1800.0,
    notify_after=1,
    metrics=Metrics.OFF,
    log_format=LogFormat.TEXT,
    otel_exporter_otlp_endpoint=None,
    otel_exporter_otlp_headers=None,
    otel_traces_sampler_arg=1.0,
    runs_kept=10000,
    runs_days=90,
)

RIGHT: dict[str, tuple[str, object]] = {
    "ANTHROPIC_API_KEY": ("sk-ant-1", Secret("sk-ant-1")),
    "ANTHROPIC_BASE_URL": ("http://127.0.0.1:9/api/", "http://127.0.0.1:9/api"),
    "CLAUDE_MODEL": ("opus", "opus"),
    "MCP_TRANSPORT": ("sse", Transport.SSE),
    "HOST": ("::1", "::1"),
    "PORT": ("0", 0),
    "HTTP_SERVER": ("uvicorn", HttpServer.UVICORN),
    "PUBLIC_URL": ("https://runner.example/", "https://runner.example"),
    "TRUSTED_PROXIES": (
        "127.0.0.1, 10.0.0.0/8,fd00::/8",
        (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
    ),
    "TOKEN_CALLS_PER_S": ("50", 50),
    "ADDRESS_CALLS_PER_S": ("0", 0),
    "OAUTH_CLIENT_ID": ("claude", "claude"),
    "OAUTH_CLIENT_SECRET": ("0123456789abcdef", Secret("0123456789abcdef")),
    "OAUTH_SECRET_KEY": ("0123456789abcdef", Secret("0123456789abcdef")),
    "DASHBOARD_USERNAME": ("ann", "ann"),
    "DASHBOARD_PASSWORD": ("two words", Secret("two words")),
    "NGROK_AUTHTOKEN": ("abc", Secret("abc")),
    "DATABASE_URL": ("postgresql://u:p@db/x", Secret("postgresql://u:p@db/x")),
    "NODE_NAME": ("node-1", "node-1"),
    "CLAUDE_RUNNER_HOME": ("/srv/runner", Path("/srv/runner")),
    "FIXED_SERVERS_DIR": ("shipped", CHECKOUT / "shipped"),
    "DYNAMIC_SERVERS_DIR": ("/srv/dynamic", Path("/srv/dynamic")),
    "MASTER_KEY_FILE": ("/srv/key", Path("/srv/key")),
    "MASTER_KEY": ("ab" * 32, Secret("ab" * 32)),
    "DEFAULT_TIMEZONE": ("Europe/Berlin", "Europe/Berlin"),
    "QUARANTINE_DEATHS": ("1000", 1000),
    "LARGE_RESULT_BYTES": ("5000", 5000),
    "LONG_CALL_S": ("0.25", 0.25),
    "SEARCH_FIRST_TOOLS": ("100", 100),
    "CODE_CHANGES": ("approve", CodeChanges.APPROVE),
    "SANDBOX": ("reduced", Level.REDUCED),
    "SANDBOX_UID_BASE": ("70000", 70000),
    "RUN_CONCURRENCY": ("10", 10),
    "RUN_STANDBY_S": ("0", 0),
    "SERVER_CONCURRENCY": ("2, browser=1,email=5", ServerLimits(2, {"browser": 1, "email": 5})),
    "AUDIT_ENTRIES": ("0", 0),
    "AUDIT_DAYS": ("30", 30),
    "RUN_FOLDERS": ("0", 0),
    "RUN_FOLDERS_DAYS": ("30", 30),
    "RUN_FILES_MB": ("0", 0),
    "WEBHOOK_SENDER_RATE": ("0", 0),
    "DAILY_BUDGET_USD": ("12.5", 12_500_000),
    "DEFAULT_RUN_BUDGET_USD": ("0.05", 50_000),
    "DEFAULT_JOB_DAILY_BUDGET_USD": ("3", 3_000_000),
    "DEFAULT_RUN_TURNS": ("40", 40),
    "DEFAULT_RUN_TIMEOUT_S": ("600", 600.0),
    "PRICES_FILE": ("deploy/prices.example.toml", CHECKOUT / "deploy/prices.example.toml"),
    "NOTIFY_AFTER": ("3", 3),
    "METRICS": ("on", Metrics.ON),
    "LOG_FORMAT": ("json", LogFormat.JSON),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("http://127.0.0.1:4318/", "http://127.0.0.1:4318"),
    "OTEL_EXPORTER_OTLP_HEADERS": (
        "api-key=abc, tenant=a%20b",
        Secret("api-key=abc, tenant=a%20b"),
    ),
    "OTEL_TRACES_SAMPLER_ARG": ("0.05", 0.05),
    "HEALTHCHECK_URL": ("https://hc.example/ping/1?x=y", Secret("https://hc.example/ping/1?x=y")),
    "RUNS_KEPT": ("500", 500),
    "RUNS_DAYS": ("7", 7),
    "PACKAGE_HOSTS": (
        "files.example.com, cache.example.com:8443",
        (Target("files.example.com", 443), Target("cache.example.com", 8443)),
    ),
}

WRONG = {
    "ANTHROPIC_API_KEY": ["two words"],
    "ANTHROPIC_BASE_URL": ["api.example", "ftp://api.example", "http://a:b@c", "http://h:99999"],
    "CLAUDE_MODEL": ["two words"],
    "MCP_TRANSPORT": ["tcp", "HTTP "],
    "HOST": ["http://localhost", "localhost:80", "a b", "a/b"],
    "HTTP_SERVER": ["Uvicorn", "granian"],
    "PORT": ["65536", "-1", "http", "8080.0", "٣"],
    "PUBLIC_URL": [
        "https://runner.example/mcp",
        "runner.example",
        "https://x?y=1",
        "ftp://a:pass@x",
    ],
    "TRUSTED_PROXIES": ["nginx", "10.0.0.1/8", "0.0.0.0/0", "127.0.0.1,", "10.0.0.1-10.0.0.9"],
    "TOKEN_CALLS_PER_S": ["-1", "0.5", "100001"],
    "ADDRESS_CALLS_PER_S": ["many"],
    "OAUTH_CLIENT_ID": ["a b"],
    "OAUTH_CLIENT_SECRET": ["short"],
    "OAUTH_SECRET_KEY": ["short"],
    "DASHBOARD_USERNAME": ["tab\there"],
    "DASHBOARD_PASSWORD": ["$argon2id$v=19$m=19456,t=2,p=1$c2FsdA", "$argon2i$v=19", "\udcff"],
    "NGROK_AUTHTOKEN": ["a b"],
    "DATABASE_URL": ["mysql://u:p@db/x", "jobs.db"],
    "NODE_NAME": ["-a", "a b", "x" * 64],
    "CLAUDE_RUNNER_HOME": ["/", "~nobody-of-that-name/x", str(CHECKOUT)],
    "MASTER_KEY_FILE": ["var/key"],
    "MASTER_KEY": ["ab" * 31, "zz" * 32, "password"],
    "DEFAULT_TIMEZONE": ["Mars/Olympus", "America", "../UTC", "CEST5"],
    "QUARANTINE_DEATHS": ["0", "-1", "many"],
    "LARGE_RESULT_BYTES": ["999", "-1", "60kB"],
    "SEARCH_FIRST_TOOLS": ["-1", "100001", "many"],
    "LONG_CALL_S": ["0", "3601", "1e3", "1m"],
    "CODE_CHANGES": ["ask", "Approve"],
    "SANDBOX": ["none", "STRONG"],
    "SANDBOX_UID_BASE": ["0", "999", "5000000000"],
    "RUN_CONCURRENCY": ["0", "101", "many"],
    "RUN_STANDBY_S": ["-1", "86401", "5m"],
    "SERVER_CONCURRENCY": ["0", "1,2", "browser", "browser=0", "a=1,a=2", "Browser=1", "1,"],
    "AUDIT_ENTRIES": ["-1", "10000001", "all"],
    "AUDIT_DAYS": ["0", "a week", "4000"],
    "RUN_FOLDERS": ["-1", "5001", "all"],
    "RUN_FOLDERS_DAYS": ["a week", "4000"],
    "RUN_FILES_MB": ["-1", "all"],
    "WEBHOOK_SENDER_RATE": ["-1", "1000001", "many"],
    "DAILY_BUDGET_USD": ["-1", "$5", "5,50", "100001", "1e3"],
    "DEFAULT_RUN_BUDGET_USD": ["none"],
    "DEFAULT_JOB_DAILY_BUDGET_USD": ["0.0000001"],
    "DEFAULT_RUN_TURNS": ["1001", "few"],
    "DEFAULT_RUN_TIMEOUT_S": ["0", "86401", "1h"],
    "PRICES_FILE": ["no/such/file.toml", "README.md"],
    "NOTIFY_AFTER": ["-1", "1001", "often"],
    "METRICS": ["yes", "ON"],
    "LOG_FORMAT": ["ecs"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["collector:4318", "grpc://collector"],
    "OTEL_EXPORTER_OTLP_HEADERS": ["api-key", "a b=c", "a=b,,c=d"],
    "OTEL_TRACES_SAMPLER_ARG": ["1.1", "5%", "-0.1"],
    "HEALTHCHECK_URL": ["hc.example/ping/1", "ftp://hc.example/", "https://hc.example/a b"],
    "RUNS_KEPT": ["99", "all"],
    "RUNS_DAYS": ["2", "3651"],
    "PACKAGE_HOSTS": ["10.0.0.1", "https://files.example.com", "a.example,", "*.example.com"],
}
COMPANIONS = {
    "NGROK_AUTHTOKEN": {"DASHBOARD_USERNAME": "ann", "DASHBOARD_PASSWORD": "p"},
    "OAUTH_CLIENT_SECRET": {"OAUTH_CLIENT_ID": "claude"},
    "OTEL_EXPORTER_OTLP_HEADERS": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    "DASHBOARD_USERNAME": {"DASHBOARD_PASSWORD": "p"},
    "DASHBOARD_PASSWORD": {"DASHBOARD_USERNAME": "ann"},
}
SECRETS = [variable.name for variable in VARIABLES if variable.secret]
IN_FILES = [each.name for each in VARIABLES if each.secret and not each.file_is_a_setting]


def field(variable: str) -> str:
    """Return the name of the settings field of a variable."""
    return "home" if variable == "CLAUDE_RUNNER_HOME" else variable.lower()


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_variable_the_defaults_hold() -> None:
    """Ours: `serve` needs no configuration."""
    assert load({}, None) == UNSET


def test_empty_values_count_as_not_set() -> None:
    """Ours: compose files and `.env.example` write NAME= for what is not set."""
    assert load(dict.fromkeys(RIGHT, ""), None) == UNSET


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
def test_each_variable_is_read(name: str) -> None:
    """Ours: every row of the table reaches its field."""
    raw, expected = RIGHT[name]
    assert getattr(load({name: raw, **COMPANIONS.get(name, {})}, None), field(name)) == expected


@pytest.mark.parametrize(("name", "raw"), [(n, raw) for n, raws in WRONG.items() for raw in raws])
def test_a_wrong_value_is_refused_by_name(name: str, raw: str) -> None:
    """Issue 2, point 3: the start stops with the variable and what it accepts."""
    with pytest.raises(SettingsError) as refused:
        load({name: raw, **COMPANIONS.get(name, {})}, None)
    assert refused.value.variable == name
    assert str(refused.value).startswith(f"{name} ")


def test_a_wrong_value_is_shown_with_what_is_accepted() -> None:
    """Ours: one sentence."""
    with pytest.raises(SettingsError) as refused:
        load({"MCP_TRANSPORT": "tcp"}, None)
    assert str(refused.value) == "MCP_TRANSPORT is 'tcp'; it accepts stdio, http, sse or both."


def test_a_wrong_secret_is_not_shown() -> None:
    """Ours: errors land in logs."""
    with pytest.raises(SettingsError) as refused:
        load({"DATABASE_URL": "mysql://root:hunter2@db/x"}, None)
    assert str(refused.value) == (
        "DATABASE_URL is a value it does not accept; it accepts a postgresql:// address."
    )


@pytest.mark.parametrize("name", ["DASHBOARD_USERNAME", "DASHBOARD_PASSWORD"])
def test_half_a_login_is_refused(name: str) -> None:
    """Ours: a user without a password would lock everyone out or let everyone in."""
    with pytest.raises(SettingsError):
        load({name: RIGHT[name][0]}, None)


@pytest.mark.parametrize(
    ("further", "sentence"),
    [
        ({}, "opens the dashboard to everybody; set DASHBOARD_PASSWORD too."),
        (
            {"DASHBOARD_USERNAME": "ann", "DASHBOARD_PASSWORD": "p", "SANDBOX": "off"},
            "must not be set with SANDBOX=off; set SANDBOX to strong or reduced.",
        ),
    ],
)
def test_a_tunnel_to_an_open_door_is_refused(further: dict[str, str], sentence: str) -> None:
    """Issue 6, What 5: not while the dashboard has no password or the sandbox is off."""
    with pytest.raises(SettingsError) as refused:
        load({"NGROK_AUTHTOKEN": "abc", **further}, None)
    assert str(refused.value) == f"NGROK_AUTHTOKEN {sentence}"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """Ours: what is said at the start beats what is written down."""
    env_file = write(tmp_path / ".env", "PORT=1\nHOST=0.0.0.0\n")
    settings = load({"PORT": "2"}, env_file)
    assert (settings.port, settings.host) == (2, "0.0.0.0")


def test_the_file_understands_quotes_comments_and_export(tmp_path: Path) -> None:
    """Ours: the usual `.env` dialect, without interpolation, so that a password may hold a `$`."""
    text = "# login\nexport DASHBOARD_USERNAME='ann'\nDASHBOARD_PASSWORD=\"a $PORT b\"  # hm\n"
    settings = load({}, write(tmp_path / ".env", text))
    assert settings.dashboard_username == "ann"
    assert settings.dashboard_password == Secret("a $PORT b")


def test_a_missing_file_is_an_empty_one(tmp_path: Path) -> None:
    """Ours: `.env` is optional."""
    assert load({}, tmp_path / ".env") == UNSET


def test_a_line_that_is_no_setting_is_refused_by_number(tmp_path: Path) -> None:
    """Ours: a swallowed line would be a default nobody chose."""
    env_file = write(tmp_path / ".env", "PORT=1\nthis is = not = a line\n'\n")
    with pytest.raises(SettingsError) as refused:
        load({}, env_file)
    assert str(refused.value) == f"{env_file} line 2 is not NAME=value."


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("ANTHROPIC_APIKEY", "ANTHROPIC_API_KEY"), ("DATABASE_URL_FLE", "DATABASE_URL_FILE")],
)
def test_a_misspelt_name_in_the_file_is_refused(tmp_path: Path, slip: str, meant: str) -> None:
    """Ours: a slip must not silently leave the default."""
    env_file = write(tmp_path / ".env", f"{slip}=x\n")
    with pytest.raises(SettingsError) as refused:
        load({}, env_file)
    assert str(refused.value) == (
        f"{env_file} sets {slip}, which is no setting; did you mean {meant}?"
    )


def test_names_of_other_programs_in_the_file_are_left_alone(tmp_path: Path) -> None:
    """Ours: other tools read the same `.env`."""
    assert load({}, write(tmp_path / ".env", "COMPOSE_PROJECT_NAME=x\nSMTP_HOST=y\n")) == UNSET


@pytest.mark.parametrize("name", IN_FILES)
def test_a_secret_comes_from_a_file(tmp_path: Path, name: str) -> None:
    """Issue 2, point 3: NAME_FILE for every secret."""
    raw, expected = RIGHT[name]
    held = write(tmp_path / "secret", raw + "\n")
    settings = load({f"{name}_FILE": str(held), **COMPANIONS.get(name, {})}, None)
    assert getattr(settings, field(name)) == expected


def test_a_secret_file_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    """Ours: a wrong mount must not look like "not set"."""
    for held in (tmp_path / "missing", write(tmp_path / "empty", "\n")):
        with pytest.raises(SettingsError) as refused:
            load({"ANTHROPIC_API_KEY_FILE": str(held)}, None)
        assert refused.value.variable == "ANTHROPIC_API_KEY_FILE"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Ours: no guessing which one was meant."""
    with pytest.raises(SettingsError) as refused:
        load({"ANTHROPIC_API_KEY": "a", "ANTHROPIC_API_KEY_FILE": "/x"}, tmp_path / ".env")
    assert str(refused.value) == (
        "ANTHROPIC_API_KEY and ANTHROPIC_API_KEY_FILE are both set; keep one."
    )


def test_a_secret_of_the_environment_wins_over_a_file_of_the_file(tmp_path: Path) -> None:
    """Ours: the two places are asked one after the other."""
    env_file = write(tmp_path / ".env", "ANTHROPIC_API_KEY_FILE=/missing\n")
    assert load({"ANTHROPIC_API_KEY": "a"}, env_file).anthropic_api_key == Secret("a")


def test_secrets_leave_the_environment_and_nothing_else_does() -> None:
    """Ours: no child can inherit what is not there."""
    environ = {name: raw for name, (raw, _) in RIGHT.items()}
    load(environ, None)
    assert environ == {name: raw for name, (raw, _) in RIGHT.items() if name not in SECRETS}


def test_a_secret_hides_in_every_text_and_refuses_copies() -> None:
    """Ours: repr, format and deep copies are how secrets reach logs."""
    secret = Secret("hunter2")
    assert [repr(secret), str(secret), f"{secret}"] == ["Secret(hidden)"] * 3
    with pytest.raises(TypeError):
        copy.deepcopy(secret)


def test_the_master_key_lies_beside_the_home(tmp_path: Path) -> None:
    """Ours: a backup of the home must not contain the key to it."""
    settings = load({"CLAUDE_RUNNER_HOME": str(tmp_path / "home")}, None)
    assert settings.master_key_file == tmp_path / "home.key"


def test_systemd_hands_over_the_master_key_by_its_folder_of_credentials() -> None:
    """systemd.exec(5), CREDENTIALS_DIRECTORY: the file has the name of the credential."""
    settings = load({"CREDENTIALS_DIRECTORY": "/run/credentials/claude-runner.service"}, None)
    there = Path("/run/credentials/claude-runner.service/master.key")
    assert settings.master_key_credential == there
    assert load({}, None).master_key_credential is None


def test_the_default_home_does_not_depend_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 2, point 3: never the current folder."""
    monkeypatch.chdir(tmp_path)
    assert load({"FIXED_SERVERS_DIR": "shipped"}, None).fixed_servers_dir == CHECKOUT / "shipped"
    assert load({}, None).home == CHECKOUT / "var"


def test_the_zone_of_the_machine_is_that_of_tz_or_of_localtime(tmp_path: Path) -> None:
    """Issue 7, point 1: without DEFAULT_TIMEZONE jobs are in the machine's zone."""
    localtime = tmp_path / "localtime"
    assert machine_timezone({"TZ": ":Asia/Tokyo"}, localtime) == "Asia/Tokyo"
    assert machine_timezone({"TZ": "CET-1CEST"}, localtime) == "UTC"
    localtime.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert machine_timezone({}, localtime) == "Europe/Berlin"
    assert load({"TZ": "Asia/Tokyo"}, None).default_timezone == "Asia/Tokyo"
