"""What nearly every command starts with: the settings, and the gateway that holds their home."""

import os
from argparse import Namespace
from pathlib import Path

from gateway.cli.exits import Exit, Failure, no_gateway
from gateway.local import LiveGateway, find_live
from gateway.setting_changes import NotWritten, SettingRefused, change_setting
from gateway.setting_origins import Standing, settings_now
from gateway.settings import ENV_FILE, Settings, SettingsError, load
from gateway.variables import CLAUDE_RUNNER_HOME, Variable


def read_settings(args: Namespace) -> Settings:
    """Return the settings. Raises Failure when one is wrong."""
    try:
        return load(os.environ, env_file_of(args))
    except SettingsError as error:
        raise Failure(Exit.WRONG_USE, str(error)) from error


def env_file_of(args: Namespace) -> Path:
    """Return the `.env` file that holds. Raises Failure when the one that was named is none."""
    if args.env_file is not None and not args.env_file.is_file():
        raise Failure(Exit.WRONG_USE, f"--env-file {args.env_file} is no file.")
    return args.env_file or ENV_FILE


def change_env_file(file: Path, variable: Variable[object], value: str | None) -> Settings:
    """Change one setting in a file, None takes it out; return what then holds. Raises Failure."""
    try:
        return change_setting(file, variable, value, os.environ)
    except SettingRefused as error:
        raise Failure(Exit.WRONG_USE, str(error)) from error
    except NotWritten as error:
        raise Failure(Exit.FAILED, str(error)) from error


def read_standings(args: Namespace) -> tuple[Standing, ...]:
    """Return where each setting comes from; ask before `read_settings`, which removes secrets.

    Raises Failure when a file is wrong.
    """
    try:
        return settings_now(os.environ, env_file_of(args))
    except SettingsError as error:
        raise Failure(Exit.WRONG_USE, str(error)) from error


def arguments_for_others(args: Namespace) -> tuple[list[str], dict[str, str]]:
    """Return the options and variables by which a process elsewhere finds the same home."""
    options = [] if args.env_file is None else ["--env-file", str(args.env_file.resolve())]
    if CLAUDE_RUNNER_HOME.name not in os.environ:
        return options, {}
    return options, {CLAUDE_RUNNER_HOME.name: str(read_settings(args).home)}


def live_gateway(args: Namespace) -> LiveGateway:
    """Return the running gateway. Raises Failure and GatewayStarting."""
    home = read_settings(args).home
    live = find_live(home)
    if live is None:
        raise no_gateway(home)
    return live
