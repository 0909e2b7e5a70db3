"""What each setting is for, in a sentence or two; the README says the same, with links."""

MEANINGS = {
    "ANTHROPIC_API_KEY": "Key for runs; without it they refuse.",
    "ANTHROPIC_BASE_URL": "Another Messages API.",
    "CLAUDE_MODEL": "Model of runs that name none.",
    "MCP_TRANSPORT": (
        "How MCP callers come in: http at /mcp, sse also at /sse, stdio on standard input, "
        "which must be a pipe; both is all of it."
    ),
    "HOST": "Where to listen.",
    "PORT": "Where to listen; 0 takes a free one.",
    "HTTP_SERVER": (
        "What carries HTTP requests; uvicorn is several times faster for small calls, "
        "hypercorn also speaks HTTP/2."
    ),
    "PUBLIC_URL": "Address under which others reach the gateway.",
    "TRUSTED_PROXIES": (
        "Reverse proxies whose word counts about who calls, and how; nobody's without it."
    ),
    "TOKEN_CALLS_PER_S": (
        "How often one token may call, on average over ten seconds; 0: as often as it likes."
    ),
    "ADDRESS_CALLS_PER_S": "The same for one address, loopback excepted.",
    "OAUTH_CLIENT_ID": (
        "Pre-registered OAuth client; without it the gateway makes one at its first start."
    ),
    "OAUTH_CLIENT_SECRET": "Its secret; without one it is a public client.",
    "OAUTH_SECRET_KEY": (
        "Keys the hashes of OAuth tokens; changing it signs everyone out. Without it the "
        "gateway keeps a key of its own."
    ),
    "DASHBOARD_USERNAME": "Login of the dashboard, together with its password.",
    "DASHBOARD_PASSWORD": (
        "Password of the dashboard; without one it is closed but for one-time links on the "
        "machine itself."
    ),
    "NGROK_AUTHTOKEN": (
        "Token of an ngrok account: the gateway opens a tunnel, whose address becomes the "
        "public one; needs tunnel install and a password of the dashboard."
    ),
    "DATABASE_URL": "PostgreSQL instead of jobs.db in the home.",
    "NODE_NAME": "Name of this gateway among those that share DATABASE_URL; else the machine's.",
    "CLAUDE_RUNNER_HOME": "Database, logs, data of servers, run folders.",
    "FIXED_SERVERS_DIR": "Servers that ship, and those that you install.",
    "DYNAMIC_SERVERS_DIR": "Servers that Claude writes.",
    "MASTER_KEY_FILE": "Key to the credentials; without this setting the home's name with .key.",
    "MASTER_KEY": "The key itself, where no file can be kept; see Credentials and keys.",
    "DEFAULT_TIMEZONE": "Zone of jobs that name none; without it, the machine's.",
    "LARGE_RESULT_BYTES": (
        "Results of invoke_internal_mcp_tool beyond this are cut; read_result reads on."
    ),
    "LONG_CALL_S": "Calls by invoke_internal_mcp_tool that take longer go on under a handle.",
    "SEARCH_FIRST_TOOLS": (
        "With more tools than this, /mcp/all lists only tools that search for them and call "
        "them; 0: never."
    ),
    "QUARANTINE_DEATHS": (
        "A server that died more often within a minute is only retried every five minutes."
    ),
    "CODE_CHANGES": (
        "New code that a tool writes for a server with credentials starts at once, or waits "
        "for the owner."
    ),
    "SANDBOX": "How tightly servers and runs are confined.",
    "SANDBOX_UID_BASE": (
        "First user number for servers when the gateway runs as root; those of runs begin "
        "10000 above."
    ),
    "PACKAGE_HOSTS": (
        "Where packages are kept besides the index; what a build of a server's environment "
        "may reach."
    ),
    "RUN_CONCURRENCY": "Most runs at a time; more wait.",
    "SERVER_CONCURRENCY": (
        "Most runs at a time that use a server: of each, and of named ones, as in 2,browser=1."
    ),
    "AUDIT_ENTRIES": "Most entries kept of the audit log; 0: nothing is recorded.",
    "AUDIT_DAYS": "Days for which an entry is kept.",
    "RUNS_KEPT": "Most ended runs kept with their transcripts.",
    "RUNS_DAYS": "Days for which a run is kept.",
    "RUN_FOLDERS": "Most work folders kept of runs that belong to no job and no webhook.",
    "RUN_FOLDERS_DAYS": "Days for which such a folder is kept.",
    "RUN_FILES_MB": "Most MiB kept of the files that runs wrote; the oldest go first.",
    "WEBHOOK_SENDER_RATE": (
        "Most deliveries a minute from one address to all webhooks and jobs; 0: no limit."
    ),
    "PRICES_FILE": "Your own prices of models, besides and before the shipped ones.",
    "DAILY_BUDGET_USD": (
        "What all runs together may cost in a day, in the zone of DEFAULT_TIMEZONE; 0: no limit."
    ),
    "DEFAULT_RUN_BUDGET_USD": (
        "What a quick run, or a run of a new job or webhook, may cost that says nothing else;"
        " 0: no limit."
    ),
    "DEFAULT_JOB_DAILY_BUDGET_USD": (
        "What a new job's runs may cost in a day if it says nothing else; 0: no limit."
    ),
    "DEFAULT_RUN_TURNS": "The same for its turns; 0: no limit.",
    "DEFAULT_RUN_TIMEOUT_S": "The same for its duration.",
    "NOTIFY_AFTER": (
        "After so many failures of a job in a row you are told, unless the job says "
        "otherwise; 0: never."
    ),
    "METRICS": "Whether Prometheus finds figures at /metrics, by a token that may read.",
    "LOG_FORMAT": (
        "How log lines are written; json: one object a line, with server, generation, run and"
        " trace where there is one."
    ),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (
        "OpenTelemetry collector that is sent traces and figures (OTLP over HTTP); nobody "
        "without it."
    ),
    "OTEL_EXPORTER_OTLP_HEADERS": "Headers that the collector wants.",
    "OTEL_TRACES_SAMPLER_ARG": "Which share of the traces that begin here is collected.",
    "HEALTHCHECK_URL": (
        "A dead man's switch in the way of Healthchecks: a request a minute while the gateway"
        " is ready, one to /fail when an error ends it."
    ),
    "RUN_STANDBY_S": "Seconds for which a started CLI waits for another run like the last one; 0: "
    "never.",
}
