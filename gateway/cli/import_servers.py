"""``import``: servers of another client become installed ones, which wait to be enabled."""

import asyncio
import importlib
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gateway.cli.answers import ask, ask_first, show
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import read_settings
from gateway.cli.progress import progress
from gateway.cli.table import plain
from gateway.importing.entries import read_programs
from gateway.importing.finding import client_files
from gateway.importing.folders import write_folder
from gateway.importing.planning import Ground, plan
from gateway.importing.plans import CannotImport, Plan, Program, server_name
from gateway.local import find_live
from gateway.server_names import ADDED
from gateway.settings import Settings

SEEN_S = 15.0
"""The gateway looks at a new folder at once; a busy machine needs longer."""
LOOK_EVERY_S = 0.2


def run(args: Namespace) -> int:
    """Show what would be made, and make it."""
    settings = read_settings(args)
    plans, refused = _plans(args, settings)
    for sentence in refused:
        print(f"claude-runner: {plain(sentence)}", file=sys.stderr)
    if not plans:
        raise Failure(Exit.FAILED, "Nothing was found that can be imported.")
    if not args.json:
        print("\n\n".join(map(_described, plans)))
    if not args.dry_run:
        names = ", ".join(each.name for each in plans)
        ask_first(args, f"Make {names}, disabled?")
        _make(args, settings, plans)
    done = "Nothing was made." if args.dry_run else _done(plans)
    answer = {"servers": [each.view() for each in plans], "refused": refused, "message": done}
    return show(args, answer, lambda told: f"\n{told['message']}")


def _plans(args: Namespace, settings: Settings) -> tuple[list[Plan], list[str]]:
    files = (args.file,) if args.file else client_files(args.client, Path.home(), Path.cwd())
    if not files:
        raise Failure(Exit.FAILED, "No file of an MCP client was found; name one.")
    private = (settings.home.resolve(), settings.master_key_file.resolve())
    ground = Ground(shutil.which, private, args.network or "none")
    kept = _kept_keys(settings)
    programs, refused = _programs(files)
    plans: dict[str, Plan] = {}
    for program in _named(args.name, programs, refused):
        try:
            made = plan(program, ground)
            _check_free(settings, made, plans)
            plans[made.name] = _with_kept(args, made, kept.get(made.name, set()))
        except CannotImport as error:
            refused.append(str(error))
    return list(plans.values()), refused


def _programs(files: Sequence[Path]) -> tuple[list[Program], list[str]]:
    programs: list[Program] = []
    refused: list[str] = []
    for file in files:
        try:
            found, sentences = read_programs(file)
        except CannotImport as error:
            refused.append(str(error))
            continue
        programs += found
        refused += sentences
    return programs, refused


def _named(wanted: list[str], programs: list[Program], refused: list[str]) -> list[Program]:
    """Return the programs of these names, their own or the servers'; say which are of nobody."""
    names = {id(program): _names(program) for program in programs}
    known = sorted({name for each in names.values() for name in each})
    for name in wanted:
        if name not in known:
            there = ", ".join(known) or "none"
            refused.append(
                f"No entry that can be imported is named {name[:60]!r}; there are: {there}."
            )
    return [each for each in programs if not wanted or not names[id(each)].isdisjoint(wanted)]


def _names(program: Program) -> set[str]:
    with suppress(CannotImport):
        return {program.name, server_name(program.name)}
    return {program.name}


def _check_free(settings: Settings, made: Plan, others: dict[str, Plan]) -> None:
    added = settings.home / ADDED
    folders = (settings.fixed_servers_dir, settings.dynamic_servers_dir, added)
    if made.name in others or any((folder / made.name).exists() for folder in folders):
        raise CannotImport(
            f"Entry {made.origin!r} would be server {made.name!r}, which is there already; rename "
            "one of them."
        )


def _kept_keys(settings: Settings) -> dict[str, set[str]]:
    # The store costs a second to import, which every other command saves.
    module = importlib.import_module("gateway.cli.import_offline")
    look = cast("Callable[..., Coroutine[Any, Any, dict[str, set[str]]]]", module.kept_keys)
    return asyncio.run(look(settings))


def _with_kept(args: Namespace, made: Plan, left: set[str]) -> Plan:
    """Return a plan that gets what a former server left, if its owner says so."""
    if left and not args.keep_credentials:
        forget = "; ".join(
            f"./claude-runner credentials delete {made.name} {key}" for key in sorted(left)
        )
        raise CannotImport(
            f"Entry {made.origin!r} would be server {made.name!r}, for which a former server left "
            f"{', '.join(sorted(left))}; forget them with: {forget} - or give them to this one "
            "with --keep-credentials."
        )
    return replace(made, kept=tuple(key for key in made.credentials if key in left))


def _described(made: Plan) -> str:
    network = made.network if isinstance(made.network, str) else ", ".join(made.network)
    facts = [
        f"{made.name}",
        f"  starts    {' '.join(made.command)}",
        *(f"  package   {package}" for package in made.packages),
        f"  network   {network}",
        *(f"  may read  {path}" for path in made.read_only),
        *(f"  variable  {key}={value}" for key, value in made.plain.items()),
        *(f"  secret    {key} ({_standing(made, key)})" for key in made.credentials),
        *(f"  note      {note}" for note in made.notes),
    ]
    return "\n".join(map(plain, facts))


def _standing(made: Plan, key: str) -> str:
    if key in made.values:
        return "will be sealed"
    return "of the former server" if key in made.kept else "to be set"


def _make(args: Namespace, settings: Settings, plans: Sequence[Plan]) -> None:
    """Write the folders, then seal what their entries had as `env`."""
    try:
        for made in plans:
            write_folder(made, settings.fixed_servers_dir)
    except CannotImport as error:
        raise Failure(Exit.FAILED, str(error)) from error
    if not any(made.values for made in plans):
        return
    if find_live(settings.home) is None:
        # The store costs a second to import, which a running gateway saves us.
        module = importlib.import_module("gateway.cli.import_offline")
        seal = cast("Callable[..., Coroutine[Any, Any, None]]", module.seal)
        asyncio.run(seal(settings, plans))
        return
    with progress(args) as line:
        for number, made in enumerate(plans, 1):
            line.say(f"Sealing the secrets of {made.name}: {number} of {len(plans)}")
            if made.values:
                _wait_until_known(args, made.name)
            for key, value in made.values.items():
                ask(args, "set_server_credential", server=made.name, key=key, value=value)


def _wait_until_known(args: Namespace, name: str) -> None:
    deadline = time.monotonic() + SEEN_S
    while True:
        known = ask(args, "list_fixed_mcp_servers")
        if any(each["name"] == name for each in known["servers"]):
            return
        if time.monotonic() > deadline:
            said = " ".join(known["problems"]) or f"The gateway did not take {name!r} up."
            raise Failure(Exit.FAILED, f"{said} Its secrets are not stored.")
        time.sleep(LOOK_EVERY_S)


def _done(plans: Sequence[Plan]) -> str:
    lines = [
        f"Made {len(plans)}, disabled, among the installed servers; metadata.json of each says "
        "what it may."
    ]
    for made in plans:
        missing = [key for key in made.credentials if key not in (*made.values, *made.kept)]
        lines += [f"./claude-runner credentials set {made.name} {key}" for key in missing]
        lines.append(f"./claude-runner servers enable {made.name}")
    return "\n".join(lines)
