"""What a server would show if it was started: tried in a throw-away sandbox without network,
folders to write and credentials.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from gateway.servers.folders import TRIAL_PREFIX
from sandboxes.errors import SandboxError
from sandboxes.limits import tree
from sandboxes.policy import Network
from supervisor.errors import NotConfigured, StartFailed
from supervisor.spec import ServerSpec
from supervisor.supervisor import Supervisor

WHOLE_S = 60.0
"""For a start and its lists; the environment is there already."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a server showed."""

    tools: tuple[Mapping[str, Any], ...] | None
    """None: it did not start."""
    reason: str = ""
    """Why it did not, as one clause."""


async def try_tools(supervisor: Supervisor, state_dir: Path, spec: ServerSpec) -> Tried:
    """Return the tools of a server that is registered nowhere yet; nothing of it is left."""
    wanted = [each.key for each in spec.credentials if each.required]
    if wanted:
        return Tried(None, f"it needs {', '.join(wanted)}")
    trial = f"{TRIAL_PREFIX}{secrets.token_hex(6)}"
    alone = replace(spec, name=trial, network=Network(), read_write=())
    try:
        with anyio.fail_after(WHOLE_S):
            async with supervisor.trial(alone, {}) as child:
                return Tried(child.tools)
    except StartFailed as error:
        return Tried(None, error.reason)
    except (NotConfigured, SandboxError) as error:
        return Tried(None, str(error).rstrip("."))
    except TimeoutError:
        return Tried(None, f"it took longer than {WHOLE_S:g} s")
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_remove, state_dir / trial)


def _remove(folder: Path) -> None:
    if folder.exists():
        tree.remove(folder)
