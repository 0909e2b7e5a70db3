"""Every management tool has its command."""

from argparse import ArgumentParser, _SubParsersAction  # pyright: ignore[reportPrivateUsage] - the only way to walk a parser
from unittest.mock import MagicMock

from gateway.cli.parser import build_parser
from gateway.cli.tool_commands import COMMANDS
from gateway.tools import Services
from gateway.tools.server import build_mcp


async def test_every_management_tool_has_its_command() -> None:
    """Issue 8: what Claude can do from the chat, the owner can do from the shell."""
    # The tools are only listed, so nothing behind them is ever touched.
    tools = {tool.name for tool in await build_mcp(MagicMock(spec=Services)).list_tools()}
    assert COMMANDS.keys() == tools
    parser = build_parser()
    missing = [command for command in COMMANDS.values() if not exists(parser, command)]
    assert missing == []


def exists(parser: ArgumentParser, command: tuple[str, ...]) -> bool:
    """Tell whether the words of a command lead through the parser."""
    for word in command:
        if word.startswith("--"):
            if word not in parser._option_string_actions:
                return False
            continue
        found = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
        if not found or word not in found[0].choices:
            return False
        parser = found[0].choices[word]
    return "module" in parser._defaults or command[-1].startswith("--")
