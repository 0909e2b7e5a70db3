"""The commands for runs and their arguments."""

from argparse import ArgumentParser
from pathlib import Path

from gateway.cli.arguments import AddParser, add_answer, add_command
from gateway.cli.fields import json_file


def add_runs(add_parser: AddParser) -> None:
    """Add `run`, and `runs` with its actions."""
    _add_run(add_parser)
    runs = add_parser("runs", help="look at runs and their files, follow, kill, export")
    actions = runs.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    listed = add_answer(actions, "list", "list the newest runs", "runs")
    _add_filters(listed)
    listed.add_argument("--after", metavar="PLACE", help="older ones, as the last list ended")
    listed.add_argument("--limit", type=int, default=20, metavar="N", help="the newest N, or 20")
    for name, text in {
        "show": "show what a run was asked, answered, had, did and cost",
        "files": "list what a run wrote or changed in its work folder",
        "kill": "end a run that waits or is under way",
    }.items():
        add_answer(actions, name, text, "runs").add_argument("run_id", metavar="RUN")
    download = add_command(actions, "download", "write files of a run to disk", "runs_download")
    download.add_argument("run_id", metavar="RUN")
    download.add_argument("path", metavar="PATH", nargs="?", help="this file; all unless given")
    download.add_argument(
        "--to", type=Path, metavar="DIR", help="into this folder; ./RUN unless given"
    )
    follow = add_command(
        actions, "follow", "print what a run does until it ends; its end is the status", "follow"
    )
    follow.add_argument("run_id", metavar="RUN")
    follow.add_argument("--json", action="store_true", help="one JSON object for each event")
    follow.add_argument(
        "--after", metavar="NUMBER", default="0.0", help="go on after the event of this number"
    )
    export = add_command(
        actions, "export", "write runs as lines of JSON or as CSV, oldest first", "runs_export"
    )
    _add_filters(export)
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")


def _add_filters(parser: ArgumentParser) -> None:
    for name in ("since", "until"):
        text = f"made {name} an age such as 2h or 7d ago, or an ISO time"
        parser.add_argument(f"--{name}", metavar="AGE", help=text)
    parser.add_argument("--job", metavar="JOB", help="of this job")
    parser.add_argument("--webhook", metavar="WEBHOOK", help="of this webhook")
    parser.add_argument("--status", metavar="STATUS", help="of this status, such as failed")


def _add_run(add_parser: AddParser) -> None:
    run = add_command(
        add_parser, "run", "run a prompt now and print what it said; its end is the status", "run"
    )
    run.add_argument("prompt", metavar="PROMPT", help="what to do; - reads it from standard input")
    run.add_argument(
        "--tools",
        metavar="NAMES",
        action="append",
        default=[],
        help="with commas, such as Read,mcp__email__send; all tools unless given",
    )
    run.add_argument("--server", metavar="NAME", action="append", default=[], help="all its tools")
    run.add_argument("--model", metavar="MODEL", help="another model than the default one")
    run.add_argument("--max-turns", type=int, metavar="N", help="most turns")
    run.add_argument("--timeout-s", type=float, metavar="S", help="longest duration, 1800 or S")
    run.add_argument("--budget-usd", type=float, metavar="USD", help="most that it may cost")
    run.add_argument(
        "--output-schema",
        type=json_file,
        metavar="FILE",
        help="a JSON schema of what it answers; - reads it",
    )
    run.add_argument("--follow", action="store_true", help="print what it does as it happens")
    run.add_argument("--json", action="store_true", help="one JSON object for each event")
