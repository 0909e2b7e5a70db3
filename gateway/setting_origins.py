"""Where each setting's value comes from, for the command line and back-ups; never a secret's."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gateway.service.credentials import credentials_folder, find_credential
from gateway.settings import read_env_file
from gateway.variables import VARIABLES, Variable


class Origin(StrEnum):
    """Who says what a setting is."""

    ENVIRONMENT = "environment"
    FILE = ".env"
    SECRET_FILE = "secret file"  # noqa: S105 - a kind of place
    """The file that NAME_FILE names, in either."""
    CREDENTIAL = "systemd credential"
    DEFAULT = "default"
    UNSET = "not set"


@dataclass(frozen=True, slots=True)
class Standing:
    """A setting now."""

    variable: Variable[object]
    value: str | None
    """As it is written; None for a secret, and where there is none."""
    origin: Origin

    @property
    def is_set(self) -> bool:
        """True when somebody set it."""
        return self.origin not in (Origin.DEFAULT, Origin.UNSET)


def settings_now(environ: Mapping[str, str], env_file: Path) -> tuple[Standing, ...]:
    """Return every setting in the order of the README. Raises SettingsError for a bad file."""
    return standings_of(environ, read_env_file(env_file))


def standings_of(environ: Mapping[str, str], file: Mapping[str, str]) -> tuple[Standing, ...]:
    """Return every setting by an environment and what stands in a file."""
    return tuple(_standing(variable, environ, file) for variable in VARIABLES)


def raw_value(
    variable: Variable[object], environ: Mapping[str, str], file: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what was written for a setting, to tell whether it changed; never to be shown."""
    names = (variable.name, f"{variable.name}_FILE")
    return tuple(place.get(name) or "" for place in (environ, file) for name in names)


def _standing(
    variable: Variable[object], environ: Mapping[str, str], file: Mapping[str, str]
) -> Standing:
    for place, origin in ((environ, Origin.ENVIRONMENT), (file, Origin.FILE)):
        if raw := place.get(variable.name):
            return Standing(variable, None if variable.secret else raw, origin)
        has_file = variable.secret and not variable.file_is_a_setting
        if has_file and place.get(f"{variable.name}_FILE"):
            return Standing(variable, None, Origin.SECRET_FILE)
    if find_credential(variable, credentials_folder(environ)) is not None:
        return Standing(variable, None, Origin.CREDENTIAL)
    if variable.default is None:
        return Standing(variable, None, Origin.UNSET)
    return Standing(variable, variable.default, Origin.DEFAULT)
