"""Sentences of the management tools as the shell says them: with commands in place of tools."""

import re

from gateway.cli.tool_commands import COMMANDS

TOOL = re.compile(rf"\b({'|'.join(COMMANDS)})\b")


def in_commands(sentence: str) -> str:
    """Return a sentence in which each tool is named by the command that does the same."""
    return TOOL.sub(lambda found: f"`./claude-runner {' '.join(COMMANDS[found[0]])}`", sentence)
