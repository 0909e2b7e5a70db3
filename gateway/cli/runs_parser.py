"""The commands for runs and their arguments."""

from gateway.cli.arguments import AddParser, add_command


def add_runs(add_parser: AddParser) -> None:
    """Add `runs` with its actions."""
    runs = add_parser("runs", help="look at runs, follow one while it happens, kill it, export")
    actions = runs.add_subparsers(metavar="ACTION", title="actions", required=True).add_parser
    listed = add_command(actions, "list", "list the newest runs", "runs")
    listed.add_argument("--job", metavar="JOB", help="of this job")
    listed.add_argument("--limit", type=int, default=20, metavar="N", help="the newest N, or 20")
    kill = add_command(actions, "kill", "end a run that waits or is under way", "runs")
    kill.add_argument("run_id", metavar="RUN")
    for name, action in {"list": listed, "kill": kill}.items():
        action.set_defaults(action=name)
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
    for name in ("since", "until"):
        text = f"made {name} an age such as 2h or 7d ago, or an ISO time"
        export.add_argument(f"--{name}", metavar="AGE", help=text)
    export.add_argument("--job", metavar="JOB", help="of this job")
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
