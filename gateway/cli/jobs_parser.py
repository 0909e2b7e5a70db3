"""The commands for jobs and their arguments."""

from argparse import ArgumentParser

from gateway.cli.arguments import AddParser, add_answer, add_group, add_yes
from gateway.cli.fields import (
    Field,
    add_fields,
    json_file,
    names,
    network,
    switch,
    text_or_input,
)

WHEN = (
    Field("cron", "when it runs, such as '0 7 * * mon-fri'", metavar="CRON"),
    Field("at", "the one time at which it runs, in its zone", metavar="TIME"),
)
FIELDS = (
    *WHEN,
    Field("tools", "with commas, such as Read,mcp__email__send", names, "NAMES"),
    Field("servers", "all their tools; with commas", names, "NAMES"),
    Field("timezone", "an IANA zone such as Europe/Berlin", metavar="ZONE"),
    Field("enabled", "whether it runs by itself", switch, "yes|no"),
    Field("paused_until", "a time; '' ends the pause", metavar="TIME"),
    Field("jitter_s", "it starts up to so many seconds later", float, "S"),
    Field("catch_up", "which missed times it makes up for", choices=("none", "latest", "all")),
    Field("catch_up_max", "most missed times of `all`", int, "N"),
    Field("grace_s", "how late a missed time may still run", float, "S"),
    Field(
        "overlap",
        "a due time while an earlier run goes on",
        choices=("skip", "queue_one", "allow", "cancel_running"),
    ),
    Field("start_within_s", "a run that waits longer expires; 0: never", float, "S"),
    Field("retries", "how often a failed run is repeated", int, "N"),
    Field("concurrency", "most of its runs at a time; 0: no limit", int, "N"),
    Field(
        "on_interrupt",
        "a run that the gateway's end interrupted",
        choices=("mark", "retry", "resume"),
    ),
    Field("on_success", "the job that runs after it; '' is none", metavar="JOB"),
    Field("on_failure", "the job that runs after it failed", metavar="JOB"),
    Field("notify_after", "failures in a row after which you are told; 0: never", int, "N"),
    Field("model", "a model or alias; '' is the default one", metavar="MODEL"),
    Field("system_prompt", "more of the system prompt", text_or_input, "TEXT"),
    Field("max_turns", "most turns; 0: no limit", int, "N"),
    Field("timeout_s", "longest duration of a run", float, "S"),
    Field("budget_usd", "most that a run may cost; 0: no limit", float, "USD"),
    Field("budget_per_day_usd", "most in a day; 0: no limit", float, "USD"),
    Field("network", "public, none, or hosts with commas", network, "HOSTS"),
    Field("output_schema", "a JSON schema of what it answers; - reads it", json_file, "FILE"),
)
PROMPT = Field("prompt", "what it does; - reads standard input", text_or_input, "TEXT")
NAME = Field("name", "its name")
CHANGES = (NAME, PROMPT, *FIELDS)


def add_jobs(add_parser: AddParser) -> None:
    """Add `jobs` with its actions."""
    add = add_group(add_parser, "jobs", "look at jobs, make, change, run, pause, delete them")
    add_answer(add, "list", "list jobs with their next due times", "jobs")
    _of_one(add_answer(add, "show", "show a job with its next times and warnings", "jobs"))
    create = add_answer(add, "create", "make a job; shows the next times", "jobs")
    create.add_argument("name", metavar="NAME")
    create.add_argument(
        "prompt", type=text_or_input, metavar="PROMPT", help="- reads standard input"
    )
    add_fields(create, FIELDS)
    edit = _of_one(add_answer(add, "edit", "change what is given of a job", "jobs"))
    add_fields(edit, CHANGES)
    _of_one(add_answer(add, "run", "run a job now", "jobs"))
    pause = _of_one(add_answer(add, "pause", "keep a job from running by itself", "jobs"))
    pause.add_argument("--until", metavar="TIME", help="until `jobs resume` unless given")
    _of_one(add_answer(add, "resume", "let a job run by itself again", "jobs"))
    add_yes(_of_one(add_answer(add, "delete", "delete a job and its runs", "jobs")))
    _of_one(add_answer(add, "next", "print the next times of a job", "jobs"))
    token = _of_one(
        add_answer(add, "fire-token", "make a token with which a program starts a job", "jobs")
    )
    token.add_argument("--delete", action="store_true", help="end the job's token instead")


def _of_one(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("job", metavar="JOB", help="its id, or its name if only one has it")
    return parser
