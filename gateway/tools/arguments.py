"""Argument types that tools share: what each one means to a model, and its bounds."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.domain.job import CatchUp, OnInterrupt, Overlap

JobId = Annotated[str, Field(description="The job's id, such as job_k3v7q2m5x4a6b1cd.")]
RunId = Annotated[str, Field(description="The run's id, such as run_k3v7q2m5x4a6b1cd.")]
WebhookId = Annotated[str, Field(description="The webhook's id, such as webhook_k3v7q2m5x4a6b1cd.")]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Field(description="A name for people."),
]
Prompt = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200_000),
    Field(description="What the run is asked to do, as text for Claude."),
]
Cron = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="Five fields: minute hour day-of-month month day-of-week, as in '0 8 * * 1-5'.",
    ),
]
At = Annotated[
    str,
    Field(
        min_length=1,
        max_length=40,
        description=(
            "Instead of cron, for a job that runs once: a time such as '2026-12-24T18:00' in the "
            "job's zone, or with an offset, '2026-12-24T18:00+01:00'."
        ),
    ),
]
PausedUntil = Annotated[
    str,
    Field(
        max_length=40,
        description="No runs by schedule before this time, written as for at; '' ends the pause.",
    ),
]
JitterS = Annotated[
    float,
    Field(
        ge=0,
        le=3600,
        description=(
            "Spreads jobs of the same minute: this one runs up to so many seconds later, always "
            "by the same time."
        ),
    ),
]
CatchUpRule = Annotated[
    CatchUp,
    Field(
        description=(
            "Which times that were missed while the gateway did not run are made up for: none, "
            "the latest, or all up to catch_up_max; the others are listed as skipped."
        )
    ),
]
CatchUpMax = Annotated[
    int, Field(ge=1, le=100, description="Most missed times that catch_up 'all' makes up for.")
]
GraceS = Annotated[
    float,
    Field(
        ge=0,
        le=31 * 24 * 3600,
        description="A time that was missed for longer than these seconds is not made up for.",
    ),
]
OverlapRule = Annotated[
    Overlap,
    Field(
        description=(
            "When a run is due and an earlier one has not ended: skip it, queue one, allow both "
            "side by side, or cancel the running one."
        )
    ),
]
StartWithinS = Annotated[
    float,
    Field(
        ge=0,
        le=31 * 24 * 3600,
        description="A run that waits longer than these seconds expires; 0 means it may wait.",
    ),
]
Retries = Annotated[
    int,
    Field(
        ge=0,
        le=10,
        description=(
            "How often a run begins again because Claude could not be reached or was overloaded; "
            "never once it has called a tool."
        ),
    ),
]
Concurrency = Annotated[
    int,
    Field(
        ge=0,
        le=100,
        description=(
            "Most runs of this job at a time; more wait. 0 means one, or with overlap 'allow' as "
            "many as there is room for."
        ),
    ),
]
InterruptRule = Annotated[
    OnInterrupt,
    Field(
        description=(
            "What becomes of a run that a restart of the gateway interrupted: mark it and repeat "
            "nothing, retry it from the beginning, or resume its conversation. What it did before "
            "may be done twice."
        )
    ),
]
OnSuccess = Annotated[
    str,
    Field(
        max_length=64,
        description=(
            "Id of a job that runs after each run of this one that succeeded, with its output; '' "
            "means none. It may be disabled: that is about its own schedule."
        ),
    ),
]
OnFailure = Annotated[
    str,
    Field(
        max_length=64,
        description=(
            "The same after each run that failed, was timed out, over its budget or interrupted, "
            "with its error."
        ),
    ),
]
NotifyAfter = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        description=(
            "The owner is told after so many failures in a row; 0: never. Without it NOTIFY_AFTER "
            "of the gateway counts."
        ),
    ),
]
Timezone = Annotated[
    str, Field(min_length=1, max_length=64, description="IANA time zone, such as Europe/Berlin.")
]
_TOOL_NAMES = (
    "built-in ones such as 'Read' or 'WebSearch', and tools of servers as 'mcp__server__tool' "
    "('server:tool' and 'server.tool' mean the same; 'mcp__server__*' means all of a server; "
    "'mcp__server__tool=name' gives a tool a name of the run's own)"
)
ToolNames = Annotated[
    list[str],
    Field(
        max_length=200,
        description=(
            f"Tools the run may use: {_TOOL_NAMES}. Empty means the default tools and every tool "
            "of its servers."
        ),
    ),
]
WebhookToolNames = Annotated[
    list[str],
    Field(max_length=200, description=f"Tools the run may use, no others: {_TOOL_NAMES}."),
]
ServerNames = Annotated[
    list[str],
    Field(
        max_length=200,
        description=(
            "Servers the run may use in full, besides those of its tools; empty means the default "
            "ones if it names no tools."
        ),
    ),
]
Model = Annotated[
    str, Field(max_length=200, description="Model name or alias; '' means the default model.")
]
OutputSchema = Annotated[
    dict[str, Any],
    Field(
        description="JSON Schema of an object that the run's answer must be; one that does not fit "
        "fails the run. get_run shows it as `structured`. {} means none."
    ),
]
SystemPrompt = Annotated[str, Field(max_length=200_000, description="'' means none.")]
MaxTurns = Annotated[
    int, Field(ge=0, le=1000, description="Most turns of a run; 0 means no limit.")
]
TimeoutS = Annotated[
    float, Field(ge=1, le=24 * 3600, description="Longest duration of a run in seconds.")
]
BudgetUsd = Annotated[
    float, Field(ge=0, le=10_000, description="Most US dollars a run may cost; 0 means no limit.")
]
BudgetPerDayUsd = Annotated[
    float,
    Field(
        ge=0,
        le=100_000,
        description=(
            "Most US dollars that the job's runs may cost in a day; then it pauses until the next "
            "day. 0 means no limit."
        ),
    ),
]
ServerName = Annotated[
    str,
    Field(
        description="The server's name: 1 to 40 lower-case letters, digits and '-', letter first."
    ),
]
CredentialKey = Annotated[
    str, Field(description="The environment variable that the server reads, such as SMTP_PASSWORD.")
]
_NETWORK = (
    "What the run's web tools and shell may reach, besides Claude and its servers: 'public' "
    "(every public host over http and https), 'none', or a list of hosts such as "
    "['api.example.com', '*.example.org', 'example.net:8443']."
)
JobNetwork = Annotated[
    str | list[str], Field(max_length=100, description=f"{_NETWORK} Without it: 'public'.")
]
WebhookNetwork = Annotated[
    str | list[str],
    Field(
        max_length=100,
        description=f"{_NETWORK} Without it: 'public' if WebFetch is among its tools, else 'none'.",
    ),
]
