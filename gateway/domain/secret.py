"""Secrets as they rest: sealed for the store, masked for people."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value and the data key that opens it."""

    key_id: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """Where a sealed value belongs; it opens nowhere else."""

    table: str
    owner: str
    key: str


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that seals values, itself wrapped by the master key."""

    id: str
    wrapped: bytes = field(repr=False)
    created_at: int


@dataclass(frozen=True, slots=True)
class MaskedCredential:
    """What may be shown of a credential. Times are integer milliseconds UTC."""

    key: str
    masked: str
    set_at: int
    key_id: str
    """The data key that seals it."""
    last_used_at: int | None
    """When a child last got it."""


@dataclass(frozen=True, slots=True)
class CredentialTimes:
    """When a credential was set, and when a child last got it."""

    set_at: int
    last_used_at: int | None
