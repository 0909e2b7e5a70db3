"""``restore FILE``: an archive becomes a home, on this machine or another."""

import asyncio
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from gateway.audit.actions import RESTORE
from gateway.audit.offline import note_offline
from gateway.backup.emptying import RESTORED_SETTINGS
from gateway.backup.errors import BackupError
from gateway.backup.restoring import Restored, database_url, restore
from gateway.cli.answers import show
from gateway.cli.backup import counting, where_the_key_is
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings, read_standings
from gateway.cli.progress import progress
from gateway.cli.table import plain
from gateway.domain.units import counted
from gateway.local import GatewayLock
from gateway.setting_origins import Standing
from gateway.settings import Settings
from gateway.store import Store, StoreError
from gateway.vault import VaultError


def run(args: Namespace) -> int:
    """Check the archive, put it in place and say what is still to do."""
    standings = read_standings(args)
    settings = read_settings(args)
    with GatewayLock(settings.home):
        try:
            restored = asyncio.run(_restore(args, settings, standings))
        except (BackupError, StoreError, VaultError) as error:
            raise Failure(Exit.FAILED, str(error)) from error
        except OSError as error:
            raise Failure(Exit.FAILED, f"{args.file} cannot be restored: {error}.") from error
    answer = {
        "home": str(settings.home),
        "made_at": restored.manifest.made_at,
        "version": restored.manifest.version,
        "files": len(restored.manifest.files),
        "secrets": restored.manifest.secrets,
        "before": None if restored.before is None else str(restored.before),
        "master_key": restored.key,
        "key_missing": restored.sealed and restored.key is None,
        "key_place": where_the_key_is(settings),
        "held_notices": restored.held_notices,
    }
    return show(args, answer, _text)


async def _restore(
    args: Namespace, settings: Settings, standings: tuple[Standing, ...]
) -> Restored:
    path = args.file.absolute()
    with progress(args) as line:
        told = counting(line, "Done with")
        restored = await restore(settings, standings, path, replace=args.replace, told=told)
    # Opening it brings an older database up to date.
    async with Store.open(database_url(settings), path=settings.home / "jobs.db") as store:
        await note_offline(store, settings, RESTORE, target=args.file.name)
    return restored


def _text(answer: Any) -> str:
    made = datetime.fromtimestamp(answer["made_at"] / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"Restored {counted(answer['files'], 'file')} of {made} into {answer['home']}."]
    if answer["before"]:
        lines.append(f"What was there before is in {answer['before']}.")
    if answer["key_missing"]:
        lines.append(
            f"Its secrets are sealed and the master key is not here: copy the old machine's to "
            f"{answer['key_place']}, mode 0600, before the gateway starts. If that key is lost, "
            "so are they; docs/backup.md says what to do."
        )
    elif answer["master_key"]:
        lines.append(f"Its secrets open with {answer['master_key']}.")
    if answer["held_notices"]:
        lines.append(
            f"Notices that had not been sent when it was made are not sent now, for they may have "
            f"been since: {answer['held_notices']}; claude-runner notify log shows them."
        )
    if answer["secrets"]:
        lines.append(f"Set here what no back-up holds: {', '.join(answer['secrets'])}.")
    lines.append(f"The old machine's settings are in {answer['home']}/{RESTORED_SETTINGS}.")
    return "\n".join(map(plain, lines))
