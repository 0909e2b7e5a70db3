"""What the examples of documents need before they can be typed, and what cannot be typed at all.

An example is named by its document and its first line. A line that stands nowhere here is executed.
"""

from tests.tools.servers import server_code

NUMBER = {"type": "integer"}
ADDER = server_code(
    {"add": {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}},
    'return {"content": [], "structuredContent": {"sum": arguments["a"] + arguments["b"]}}',
)
MAILER = server_code({"list": {"type": "object"}})
FILES = {
    "adder/server.py": ADDER,
    "mailer/server.py": MAILER,
    "mailer/metadata.json": '{"credentials": ["SMTP_PASSWORD"]}',
    "password.txt": "correct-horse-battery-9\n",
    ".cursor/mcp.json": '{"mcpServers": {"github": {"command": "npx", "args": ["-y", "a@1.0.0"]}}}',
    "server.json": '{"name": "io.github.x/weather", "description": "Weather.", "version": "1.0.0", '
    '"packages": [{"registryType": "npm", "identifier": "weather", "version": "1.0.0", '
    '"transport": {"type": "stdio"}}]}',
}
"""What lies in the folder in which the examples are typed."""

FOLLOWS = "follows until Ctrl-C, so it is held to the parser alone"
ASKS = "asks on a terminal, so it is held to the parser alone"
FETCHES = "downloads packages; tests/catalog adds them from an index on loopback"
SHIPPED = "starts a process; tests/fixed_servers starts each shipped server in its sandbox"
EXAMPLE = "starts a process; tests/examples adds each example and calls it in its sandbox"
SECOND_NODE = "wants a second gateway and PostgreSQL; tests/nodes has both"
QUICK_RUN = (
    './claude-runner run "What is new in my mail?" --tools mcp__email__list,Read --budget-usd 0.2'
)
CURRENT_WEATHER = (
    './claude-runner tools call weather:current_weather \'{"place": "Lisbon, Portugal"}\''
)
CONVERT_TIME = (
    "./claude-runner tools call world-clock:convert_time "
    """'{"time": "2026-11-23T09:30", "zone": "Europe/Berlin", "zones": ["Asia/Tokyo"]}'"""
)
PROGRAMS = frozenset({"./claude-runner", "curl", "tar"})
"""What examples may start here; nothing that could change the machine belongs in it."""
NOT_TYPED = {
    "./claude-runner logs mailer -f --contains error": FOLLOWS,
    "./claude-runner status --watch": FOLLOWS,
    "./claude-runner audit --follow": FOLLOWS,
    "./claude-runner import": ASKS,
    "./claude-runner servers remove github": ASKS,
    "./claude-runner reset": ASKS + "; tests/cli/test_backup.py empties a home",
    QUICK_RUN: "asks a model; tests/bootstrap types the README's run",
    "./claude-runner servers enable fetch": SHIPPED,
    "./claude-runner servers add pypi:mcp-server-time -- --local-timezone UTC": FETCHES,
    "./claude-runner servers add --network api.github.com --env GITHUB_TOKEN "
    "npm:@modelcontextprotocol/server-github": FETCHES,
    "./claude-runner servers add server.json": FETCHES,
    "./claude-runner nodes drain build-2": SECOND_NODE,
    "./claude-runner nodes undrain build-2": SECOND_NODE,
    "./claude-runner servers enable files": SHIPPED,
    "./claude-runner servers enable notify": SHIPPED,
    "./claude-runner examples add cat-facts": EXAMPLE,
    **dict.fromkeys(
        (
            "./claude-runner examples add r2-images",
            *(
                f"./claude-runner credentials set r2-images R2_{key}"
                for key in ("ACCOUNT_ID", "BUCKET", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
            ),
            "./claude-runner examples add world-clock",
            CONVERT_TIME,
        ),
        EXAMPLE,
    ),
    "./claude-runner examples add weather": EXAMPLE,
    "./claude-runner credentials set weather TOMORROW_API_KEY": EXAMPLE,
    CURRENT_WEATHER: EXAMPLE,
    "./claude-runner examples add url-shortener": EXAMPLE,
    "./claude-runner examples add url-shortener --as bookmarks": EXAMPLE,
    "./claude-runner servers install playwright": SHIPPED,
    "./claude-runner notify test mail": "sends mail; tests/notify sends what each channel sends",
}
"""Lines, without what is behind a #, and why they are not executed."""

CHECKED_ELSEWHERE = {
    "docs/architecture.md: people, Claude, webhooks": (
        "a picture; tests/architecture/test_documents.py looks for what it names"
    ),
    "docs/sandbox.md: gateway -> launcher": "a picture of processes",
}
"""Blocks that nothing here executes, by how their keys begin."""

INSTEAD = {
    "docs/backup.md": {"/mnt/disk/": "./", "/tmp/unpacked": "./unpacked"},
    "docs/command-line.md": {
        "2026-12-01T00:00": "$LATER",
        "./claude-runner servers edit": "echo >> adder/server.py; ./claude-runner servers edit",
    },
    "docs/import.md": {
        "--name github": "--name github --yes",
        "api.example.com": "api.example.com --yes",
    },
    "docs/retention.md": {"JOB": "$JOB"},
    "docs/budgets.md": {"JOB": "$JOB"},
    "docs/servers/email.md": {
        "SENDER_EMAIL": "SENDER_EMAIL < password.txt",
        "SENDGRID_API_KEY": "SENDGRID_API_KEY < password.txt",
    },
    "docs/credentials.md": {"SERVER": "mailer", "VERSION": "$VERSION"},
}
"""What stands for a place, a time or an id of the reader's own."""

MAILER_THERE = """
[ -e dynamic/mailer ] || ./claude-runner servers create ./mailer || echo It waits.
./claude-runner credentials set mailer SMTP_PASSWORD < password.txt
"""
A_JOB = """
JOB=$(./claude-runner jobs create any "Say hello." --cron "0 7 * * *" --tools Read --json |
    jq -r .job.id)
"""
BEFORE = {
    "docs/backup.md: ./claude-runner backup": "rm -f runner.tar.gz",
    "docs/backup.md: tar -xzf runner.tar.gz": MAILER_THERE
    + """
rm -f runner.tar.gz
mkdir -p unpacked
./claude-runner backup runner.tar.gz
""",
    "docs/budgets.md: ./claude-runner costs": A_JOB,
    "docs/command-line.md: ./claude-runner status --watch": "alert() { echo Look at it.; }",
    "docs/command-line.md: ./claude-runner credentials set mailer": MAILER_THERE,
    "docs/command-line.md: ./claude-runner completion bash": """
mkdir -p .local/share/bash-completion/completions .zfunc .config/fish/completions
""",
    "docs/command-line.md: ./claude-runner jobs create brief": (
        "LATER=$(date --date '+1 day' +%Y-%m-%dT%H:%M)"
    ),
    "docs/credentials.md: ./claude-runner changes list": MAILER_THERE
    + """
VERSION=$(jq -n '{name: "mailer", code: $code}' --rawfile code adder/server.py |
    ./claude-runner call update_mcp_server - | jq .version)
""",
    "docs/import.md: ./claude-runner export": """
[ -e fixed/github ] || ./claude-runner import .cursor/mcp.json --yes
""",
    "docs/notifications.md: ./claude-runner notify add mail": (
        "echo mailto://relay.example:25?from=a@example.com > address.txt; exec < address.txt"
    ),
    "docs/servers/files.md: ./claude-runner servers grant": "mkdir -p documents",
    "docs/servers/notify.md: ./claude-runner notify add phone": (
        "echo ntfys://ntfy.example.com/topic > address.txt; exec < address.txt"
    ),
    "docs/retention.md: ./claude-runner runs export": A_JOB,
    "docs/webhooks.md: curl -X POST": A_JOB
    + """
FIRED=$(./claude-runner call create_job_fire_token "{\\"job_id\\": \\"$JOB\\"}")
URL=$(echo "$FIRED" | jq -r .url) TOKEN=$(echo "$FIRED" | jq -r .token)
""",
}
"""What is typed before a block, by how its key begins."""

NOTICE = 'docs/notifications.md: {"type"'
"""What a channel is sent."""
ANSWER_OF_THE_BLOCK_ABOVE = 'docs/webhooks.md: {"type"'
"""JSON that the last command of the block before it prints."""
