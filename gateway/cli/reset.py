"""``reset``: an empty home, and a back-up of what was in it."""

import asyncio
from argparse import Namespace

from gateway.backup.errors import BackupError
from gateway.backup.restoring import reset
from gateway.cli.answers import ask_first, show
from gateway.cli.backup import counting
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings, read_standings
from gateway.cli.progress import progress
from gateway.local import GatewayLock
from gateway.store import StoreError


def run(args: Namespace) -> int:
    """Ask, keep a back-up, remove."""
    standings = read_standings(args)
    settings = read_settings(args)
    with GatewayLock(settings.home):
        ask_first(
            args,
            f"Empty {settings.home} (jobs, runs, tokens, credentials, servers' data) and remove "
            f"the servers in {settings.dynamic_servers_dir}? A back-up is kept.",
        )
        try:
            with progress(args) as line:
                told = counting(line, "Backed up")
                before = asyncio.run(reset(settings, standings, told))
        except (BackupError, StoreError) as error:
            raise Failure(Exit.FAILED, str(error)) from error
        except OSError as error:
            raise Failure(Exit.FAILED, f"The home cannot be emptied: {error}.") from error
    kept = "there was nothing" if before is None else f"what was there is in {before}"
    said = f"The home {settings.home} is empty; {kept}. The master key and .env stay."
    answer = {"home": str(settings.home), "before": before and str(before), "message": said}
    return show(args, answer, lambda told: told["message"])
