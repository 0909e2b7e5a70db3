"""What an added server was made of: `pinned.json` in its folder, which goes with its versions."""

from enum import StrEnum

import msgspec

PIN_FILE = "pinned.json"


class Kind(StrEnum):
    """Where a server comes from."""

    PYPI = "pypi"
    NPM = "npm"
    COMMAND = "command"
    """A program that is on this machine anyway."""


class Pin(msgspec.Struct, frozen=True):
    """One thing from outside, as it was when it was added or updated."""

    kind: Kind
    package: str
    """Its name, or the path of the program."""
    version: str
    """Empty for a program."""
    digest: str
    """SHA-256 of the list of all packages with their digests, or of the program."""

    @property
    def source(self) -> str:
        """As people write it."""
        if self.kind is Kind.COMMAND:
            return self.package
        joined = "==" if self.kind is Kind.PYPI else "@"
        return f"{self.kind.value}:{self.package}{joined}{self.version}"


def write_pin(pin: Pin) -> str:
    """Return the text of the file."""
    return msgspec.json.format(msgspec.json.encode(pin), indent=2).decode() + "\n"


def read_pin(text: str | None) -> Pin | None:
    """Return what a file says; None without one, or when it says something else."""
    try:
        return None if text is None else msgspec.json.decode(text, type=Pin)
    except msgspec.DecodeError:
        return None
