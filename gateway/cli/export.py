"""``export``: servers as the file of another MCP client; each secret by its name alone."""

import json
import sys
from argparse import Namespace
from typing import Any

from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings
from gateway.cli.table import plain
from gateway.importing.exporting import entry_of
from gateway.importing.plans import CannotImport


def run(args: Namespace) -> int:
    """Print a document that the other clients read, which is JSON with and without `--json`."""
    settings = read_settings(args)
    roots = (settings.fixed_servers_dir, settings.dynamic_servers_dir)
    folders = {
        folder.name: folder
        for root in roots
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if folder.is_dir() and folder.name[0] != "."
    }
    if unknown := sorted(set(args.server) - folders.keys()):
        raise Failure(Exit.FAILED, f"There is no server {unknown[0][:60]!r}.")
    entries: dict[str, Any] = {}
    for name in args.server or sorted(folders):
        try:
            entries[name] = entry_of(folders[name])
        except CannotImport as error:
            print(f"claude-runner: {plain(error)}", file=sys.stderr)
    if not entries:
        raise Failure(Exit.FAILED, "There is no server that another client could start.")
    print(json.dumps({"mcpServers": entries}, indent=2, ensure_ascii=False))
    return Exit.OK
