"""What a server looks like to a person: the supervisor's snapshot, the switch, the credentials."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.secret import MaskedCredential
from supervisor.events import ServerState
from supervisor.metering.metrics import ServerMetrics
from supervisor.snapshot import ServerSnapshot
from supervisor.spec import DeclaredCredential, ServerSpec

BROKEN = frozenset({ServerState.BACKOFF, ServerState.QUARANTINED, ServerState.FAILED})


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """A credential that a server declares or was given."""

    key: str
    declared: bool
    """False: it was set, and no child ever sees it."""
    required: bool
    description: str
    masked: str | None
    """None when it is not set."""
    set_at: int | None
    key_id: str | None
    last_used_at: int | None

    @property
    def missing(self) -> bool:
        """True when the server cannot start without it and nobody set it."""
        return self.required and self.masked is None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a server does not run, or does not run its new code."""

    sentence: str
    stderr_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerReport:
    """A server now."""

    spec: ServerSpec
    snapshot: ServerSnapshot
    metrics: ServerMetrics
    enabled: bool
    credentials: tuple[CredentialStatus, ...]
    failure: Failure | None = None
    """Why what was asked for did not come to life."""
    undeclared_hosts: tuple[str, ...] = ()
    """Hosts that code just written names and that the server may not reach."""
    refused_reads: tuple[str, ...] = ()
    """A sentence for each variable that the code reads and that no server is ever given."""
    version: int | None = None
    """The number under which what was just written is kept."""
    kept: bool = True
    """False: what was just written is not what the folder holds."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of the required credentials that are not set."""
        return tuple(credential.key for credential in self.credentials if credential.missing)


def failure_of(snapshot: ServerSnapshot) -> Failure | None:
    """Return why a server that should run does not, or None."""
    if snapshot.state not in BROKEN:
        return None
    sentence = f"Server {snapshot.name!r} is {snapshot.state}: {snapshot.reason}."
    return Failure(sentence, snapshot.stderr_tail)


def credential_statuses(
    spec: ServerSpec, stored: tuple[MaskedCredential, ...]
) -> tuple[CredentialStatus, ...]:
    """Return the declared credentials, then those that were set without being declared."""
    values = {credential.key: credential for credential in stored}
    declared = {want.key: want for want in spec.credentials}
    return tuple(
        _status(declared.get(key), values.get(key), key)
        for key in dict.fromkeys([*declared, *values])
    )


def undeclared_statuses(stored: Iterable[MaskedCredential]) -> tuple[CredentialStatus, ...]:
    """Return those that were set for a server which is not there to declare any."""
    return tuple(_status(None, each, each.key) for each in stored)


def _status(
    want: DeclaredCredential | None, stored: MaskedCredential | None, key: str
) -> CredentialStatus:
    return CredentialStatus(
        key=key,
        declared=want is not None,
        required=want is not None and want.required,
        description=want.description if want else "",
        masked=stored.masked if stored else None,
        set_at=stored.set_at if stored else None,
        key_id=stored.key_id if stored else None,
        last_used_at=stored.last_used_at if stored else None,
    )
