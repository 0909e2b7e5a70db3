"""The arguments of ``costs``."""

from gateway.cli.arguments import AddParser, add_command


def add_costs(add_parser: AddParser) -> None:
    """Add ``costs``."""
    costs = add_command(add_parser, "costs", "show what runs cost", "costs")
    costs.add_argument("--by", choices=("day", "job", "webhook", "model", "server"), default="day")
    costs.add_argument("--days", type=int, default=30, metavar="N", help="today and before, or 30")
    costs.add_argument("--job", metavar="ID", help="of this job or webhook")
    costs.add_argument("--json", action="store_true", help="one JSON object")
