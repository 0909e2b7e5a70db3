"""``stdio``: what an MCP client starts, whatever MCP_TRANSPORT says."""

from argparse import Namespace
from dataclasses import replace

from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings
from gateway.cli.serve import serve_or_bridge
from gateway.stdio import COMBINED, MANAGEMENT, server_path
from gateway.stdio_wire import stdin_is_pipe
from gateway.variables import Transport


def run(args: Namespace) -> int:
    """Serve MCP on standard input and output until the client ends its side."""
    if not stdin_is_pipe():
        raise Failure(
            Exit.WRONG_USE,
            "stdio speaks MCP on standard input, which must be a pipe; name this command in the "
            "settings of an MCP client.",
        )
    return serve_or_bridge(replace(read_settings(args), mcp_transport=Transport.STDIO), _path(args))


def _path(args: Namespace) -> str:
    if args.combined:
        return COMBINED
    return MANAGEMENT if args.server is None else server_path(args.server)
