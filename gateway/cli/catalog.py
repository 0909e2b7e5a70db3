"""``servers add``: servers from elsewhere, pinned, shown, and off until they are enabled."""

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.catalog.sources import document_program, is_package, package_program
from gateway.cli.answers import ask, ask_first, show, show_change
from gateway.cli.client import BUILD_TIMEOUT_S, request_local
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import live_gateway
from gateway.cli.progress import waiting
from gateway.cli.table import plain
from gateway.importing.plans import CannotImport, Program, server_name

MAX_CHARACTERS = 1024 * 1024


def run(args: Namespace) -> int:
    """Add a server, show what it may do, and switch it on if that is asked for."""
    try:
        program = _program(args)
        name = args.name or server_name(program.name)
    except CannotImport as error:
        raise Failure(Exit.FAILED, plain(error)) from error
    wish = {
        "program": {**asdict(program), "optional": sorted(program.optional)},
        "network": args.network or "none",
        "source_builds": args.allow_source_builds,
    }
    live = live_gateway(args)
    with waiting(args, f"Adding {name}"):
        added = request_local(
            live, "POST", f"catalog/{quote(name, safe='')}", wish, BUILD_TIMEOUT_S
        )
    if not args.enable or added["enabled"]:
        return show(args, added, _text)
    if not args.json:
        print(_text(added))
    ask_first(args, f"Enable {name}?")
    return show_change(args, ask(args, "enable_fixed_server", name=name))


def _program(args: Namespace) -> Program:
    source, words = args.source, args.words
    if is_package(source):
        program = package_program(source, words, args.program)
    elif args.program is not None:
        raise CannotImport("--program is for packages of PyPI.")
    elif source == "-" or source.endswith(".json"):
        program = document_program(_read(source), words)
    else:
        program = Program(Path(source).name, _found(source), tuple(words))
    wanted = {**program.wanted, **{key: program.wanted.get(key, "") for key in args.env}}
    named = {"name": args.name} if args.name else {}
    return replace(program, wanted=wanted, optional=program.optional - set(args.env), **named)


def _read(source: str) -> str:
    try:
        with (
            nullcontext(sys.stdin) if source == "-" else Path(source).open(encoding="utf-8") as file
        ):
            text = file.read(MAX_CHARACTERS + 1)
    except OSError as error:
        raise CannotImport(f"{source} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise CannotImport(f"{source} is no text.") from error
    if len(text) > MAX_CHARACTERS:
        raise CannotImport(f"{source} is longer than {MAX_CHARACTERS} characters.")
    return text


def _found(source: str) -> str:
    """Return the program as it is found from here: the gateway stands in another folder."""
    found = shutil.which(source)
    if found is None:
        raise CannotImport(
            f"There is no program {source[:80]!r} on this machine; a package is written "
            "pypi:NAME or npm:NAME."
        )
    return str(Path(found).absolute())


def _text(added: Any) -> str:
    return "\n".join(plain(line) for line in _lines(added))


def _lines(added: Any) -> Iterator[str]:
    server = added["server"]
    yield f"{server}  {added['source']}" + ("" if added["added"] else ", which is there already")
    yield f"  digest    {added['digest']}"
    yield f"  starts    {' '.join(added['command'])}"
    if added["packages"]:
        yield f"  packages  {len(added['packages'])}: {', '.join(added['packages'])}"
    yield f"  network   {added['network']}"
    yield from (f"  may read  {path}" for path in added["read_only"])
    yield from (f"  may write {path}" for path in added["read_write"])
    yield from (f"  variable  {key}={value}" for key, value in added["environment"].items())
    for each in added["credentials"]:
        yield f"  secret    {each['key']} ({'set' if each['set'] else 'to be set'})"
    limits = ", ".join(f"{key} {value}" for key, value in added["limits"].items())
    yield f"  limits    {limits}"
    if added["tools"] is not None:
        yield from (f"  tool      {each['name']}: {each['description']}" for each in added["tools"])
    elif added["not_tried"]:
        yield f"  tools     unknown: {added['not_tried']}"
    yield from (f"  note      {note}" for note in added["notes"])
    if not added["enabled"]:
        for each in added["credentials"]:
            if not each["set"]:
                yield f"./claude-runner credentials set {server} {each['key']}"
        yield f"./claude-runner servers enable {server}"
