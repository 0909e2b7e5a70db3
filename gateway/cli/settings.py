"""``settings``: what holds, who says so, and changes of `.env` that are checked first."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from gateway.cli.answers import show
from gateway.cli.exits import Exit, Failure
from gateway.cli.home import change_env_file, env_file_of, read_settings, read_standings
from gateway.cli.table import format_table, plain
from gateway.cli.typed import read_typed
from gateway.local import FILE_NAME, GatewayStarting, LiveGateway, find_live
from gateway.setting_changes import SettingRefused, find_variable
from gateway.setting_origins import Origin, Standing
from gateway.settings import Settings
from gateway.variables import Variable

HEADINGS = ("SETTING", "VALUE", "FROM", "ACCEPTS")
VALUE_CHARACTERS = 60


def run(args: Namespace) -> int:
    """Carry out one action."""
    if args.action == "list":
        return _list(args)
    variable = _variable(args.name)
    if args.action == "unset":
        return _change(args, variable, None)
    return _change(args, variable, _value(args, variable))


def _list(args: Namespace) -> Exit:
    standings = read_standings(args)
    settings = read_settings(args)
    shown = [each for each in standings if each.is_set or not args.changed]
    answer = {"settings": list(map(_view, shown)), "restart": _restart(args, settings)}
    return show(args, answer, _text)


def _view(standing: Standing) -> dict[str, Any]:
    variable = standing.variable
    return {
        "name": variable.name,
        "value": standing.value,
        "set": standing.is_set,
        "from": standing.origin.value,
        "secret": variable.secret,
        "accepts": variable.accepts,
        "default": variable.default,
    }


def _text(answer: Any) -> str:
    rows = [
        (each["name"], _shown(each), each["from"], each["accepts"]) for each in answer["settings"]
    ]
    table = format_table(HEADINGS, rows) if rows else "Nobody set anything; all defaults hold."
    return "\n".join((table, *([answer["restart"]] if answer["restart"] else [])))


def _shown(setting: dict[str, Any]) -> str:
    if setting["secret"]:
        return "(hidden)" if setting["set"] else ""
    return (setting["value"] or "")[:VALUE_CHARACTERS]


def _restart(args: Namespace, settings: Settings) -> str | None:
    """Return that the running gateway has read an older file, if it has."""
    live = _live(settings)
    if live is None:
        return None
    started = (settings.home / FILE_NAME).stat().st_mtime
    file = env_file_of(args)
    if file.exists() and file.stat().st_mtime > started:
        return f"{file} was changed after the gateway (process {live.pid}) started; restart it."
    return None


def _live(settings: Settings) -> LiveGateway | None:
    try:
        return find_live(settings.home)
    except GatewayStarting:
        return None


def _variable(name: str) -> Variable[object]:
    try:
        return find_variable(name)
    except SettingRefused as error:
        raise Failure(Exit.WRONG_USE, str(error)) from error


def _value(args: Namespace, variable: Variable[object]) -> str:
    if not variable.secret:
        if args.value is None:
            raise Failure(Exit.WRONG_USE, f"Give the value of {variable.name}: {variable.accepts}.")
        return str(args.value)
    if args.value is not None:
        raise Failure(
            Exit.WRONG_USE,
            f"{variable.name} is a secret, which does not belong on a command line; leave the "
            "value out and type it, or pipe it in.",
        )
    return read_typed(variable.name)


def _change(args: Namespace, variable: Variable[object], value: str | None) -> Exit:
    file = env_file_of(args)
    settings = change_env_file(file, variable, value)
    now = next(each for each in read_standings(args) if each.variable is variable)
    answer = {**_view(now), "file": str(file), "message": _after(now, file, settings)}
    return show(args, answer, lambda told: plain(told["message"]))


def _after(now: Standing, file: Path, settings: Settings) -> str:
    if now.origin is Origin.ENVIRONMENT:
        return f"{file} is changed, but the environment sets {now.variable.name} too, and wins."
    said = f"{now.variable.name} now comes from: {now.origin.value}."
    live = _live(settings)
    if live is None:
        return f"{said} It holds from the gateway's next start."
    return f"{said} Restart the gateway (process {live.pid}), which reads settings as it starts."
