"""The commands for servers' tools and their arguments."""

from gateway.cli.arguments import AddParser, add_answer, add_group


def add_tools(add_parser: AddParser) -> None:
    """Add `tools` with its actions."""
    add = add_group(add_parser, "tools", "find servers' tools, look at them, call them")
    search = add_answer(add, "search", "find tools of all enabled servers by words", "tools")
    search.add_argument("query", metavar="WORDS", nargs="+")
    search.add_argument("--limit", type=int, default=10, metavar="N", help="most tools, or 10")
    show = add_answer(add, "show", "show a tool's schema and a payload that fits", "tools")
    call = add_answer(add, "call", "call a tool of a server and print its result", "tools")
    for action in (show, call):
        action.add_argument("tool", metavar="TOOL", help="mcp__server__tool, or server:tool")
    call.add_argument(
        "payload", metavar="JSON", nargs="?", default="{}", help="- reads it from standard input"
    )
    read = add_answer(add, "read", "read on in a result that was cut", "tools")
    read.add_argument("--offset", type=int, metavar="N", help="from this character")
    read.add_argument("--contains", metavar="TEXT", help="find this text in it")
    wait = add_answer(add, "wait", "wait for a call that went on under a handle", "tools")
    wait.add_argument("--seconds", type=float, metavar="S", help="how long at most")
    cancel = add_answer(add, "cancel", "end such a call", "tools")
    for action in (read, wait, cancel):
        action.add_argument("handle", metavar="HANDLE")
