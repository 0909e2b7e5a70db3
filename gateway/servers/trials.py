"""Dry runs: code in a throw-away sandbox with example calls, beside the servers that are live.

A trial has a folder, a DATA_DIR and a user of its own; nothing of it is left. Above: tools. Below:
the supervisor.
"""

import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from gateway.credentials import Credentials
from gateway.servers.draft import Draft, apply_draft
from gateway.servers.fault import Fault, read_fault
from gateway.servers.folders import TRIAL_PREFIX, ServerFolders, Source
from gateway.servers.staging import read_staged
from sandboxes.errors import SandboxError
from sandboxes.limits import tree
from supervisor.children.child import Child
from supervisor.children.era import to_modern_params
from supervisor.children.wire import decode, encode
from supervisor.errors import (
    CallTimedOut,
    ChildDied,
    InvalidServer,
    NotConfigured,
    RequestRefused,
    StartFailed,
)
from supervisor.spec import Era, ServerSpec
from supervisor.supervisor import Supervisor

NAMELESS = "trial"
"""The folder of code that is tried without a server's name."""
AT_ONCE = 3
WHOLE_S = 120.0
"""For the environment, the start and all calls; clients of tools wait little longer."""
CALL_S = 30.0


@dataclass(frozen=True, slots=True)
class TrialCall:
    """An example call."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What became of one: the result as the server gave it, or why there is none."""

    call: TrialCall
    result: Mapping[str, Any] | None
    error: str | None
    took_s: float


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What became of a dry run."""

    failure: str | None
    """Why it did not start or could not go on; one clause."""
    fault: Fault | None
    missing: tuple[str, ...]
    """Required credentials that it was not given."""
    undeclared_hosts: tuple[str, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    outcomes: tuple[CallOutcome, ...] = ()
    stderr_tail: tuple[str, ...] = ()


@dataclass(slots=True)
class _Progress:
    """What a trial has found so far; kept when its time is over."""

    tools: tuple[Mapping[str, Any], ...]
    outcomes: list[CallOutcome]
    stderr_tail: tuple[str, ...]
    failure: str | None


class Trials:
    """Runs dry runs, a few at a time."""

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        credentials: Credentials,
        dynamic_dir: Path,
        state_dir: Path,
    ) -> None:
        self._supervisor = supervisor
        self._credentials = credentials
        self._folders = ServerFolders(dynamic_dir)
        self._state_dir = state_dir
        self._seats = anyio.CapacityLimiter(AT_ONCE)

    async def run(
        self, name: str | None, draft: Draft, calls: Sequence[TrialCall], *, with_credentials: bool
    ) -> TrialReport:
        """Try a dynamic server, or what `draft` would make of it, or code without a server.

        `with_credentials` gives it the credentials that are set for `name`.

        Raises:
            InvalidServer: it is no server, so nothing was started.
        """
        async with self._seats, self._folder() as trial:
            write = partial(self._write, trial, name, draft)
            folder = await to_thread.run_sync(write)
            staged = await to_thread.run_sync(read_staged, folder)
            spec = replace(staged.spec, name=trial)
            keys = [credential.key for credential in spec.credentials]
            given = await self._credentials.values(name, keys) if name and with_credentials else {}
            wanted = [c.key for c in spec.credentials if c.required and c.key not in given]
            if wanted:
                return TrialReport(
                    f"it needs {', '.join(wanted)}", None, tuple(wanted), staged.hosts
                )
            found = await self._try(spec, given, calls)
            return TrialReport(
                failure=found.failure,
                fault=read_fault(found.stderr_tail, spec.code_dir),
                missing=(),
                undeclared_hosts=staged.hosts,
                tools=found.tools,
                outcomes=tuple(found.outcomes),
                stderr_tail=found.stderr_tail,
            )

    async def _try(
        self, spec: ServerSpec, given: Mapping[str, str], calls: Sequence[TrialCall]
    ) -> _Progress:
        found = _Progress((), [], (), None)
        try:
            with anyio.fail_after(WHOLE_S):
                async with self._supervisor.trial(spec, given) as child:
                    found.tools = child.tools
                    for call in calls:
                        found.outcomes.append(await self._call(child, call))
                        found.stderr_tail = child.stderr_tail
        except StartFailed as error:
            found.failure, found.stderr_tail = error.reason, error.stderr_tail
        except (NotConfigured, SandboxError) as error:
            found.failure = str(error).rstrip(".")
        except TimeoutError:
            found.failure = f"it took longer than {WHOLE_S:g} s and was stopped"
        return found

    async def _call(self, child: Child, call: TrialCall) -> CallOutcome:
        began = time.monotonic()
        result, error = None, None
        try:
            result = await self._ask(child, call)
        except (ChildDied, CallTimedOut) as failure:
            error = _clause(failure)
        except RequestRefused as failure:
            error = str(failure).partition(" refused: ")[2]
        return CallOutcome(call, result, error, time.monotonic() - began)

    async def _ask(self, child: Child, call: TrialCall) -> dict[str, Any]:
        body = encode({"name": call.tool, "arguments": call.arguments})
        if child.handshake.era is Era.MODERN:
            body = to_modern_params(body)
        limit = min(CALL_S, child.spec.call_timeout_s)
        answer = await self._supervisor.finish(child, child.call("tools/call", body), limit)
        if answer.error is not None:
            raise RequestRefused.from_json(child.spec.name, decode(answer.error))
        return decode(answer.result or b"{}", type=dict[str, Any])

    @asynccontextmanager
    async def _folder(self) -> AsyncGenerator[str]:
        """Give the name of a new trial; remove all that it left."""
        trial = f"{TRIAL_PREFIX}{secrets.token_hex(6)}"
        try:
            yield trial
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._remove, trial)

    def _write(self, trial: str, name: str | None, draft: Draft) -> Path:
        before = Source(None, {}) if name is None else self._folders.read(name)
        label = name or NAMELESS
        source = apply_draft(label, before, draft)
        if source.code is None and name is None:
            raise InvalidServer("There is no code to be tried.")
        return self._folders.stage_trial(trial, label, source)

    def _remove(self, trial: str) -> None:
        self._folders.discard_trial(trial)
        if (self._state_dir / trial).exists():
            tree.remove(self._state_dir / trial)


def _clause(error: ChildDied | CallTimedOut) -> str:
    if isinstance(error, CallTimedOut):
        return f"no answer within {error.timeout_s:g} s"
    return f"the server ended: {error.reason}"
