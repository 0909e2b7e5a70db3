"""How the Claude CLI is started for one run: every option and every variable."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.budgets.prices import PriceList
from gateway.domain.network import NetworkAccess, RunNetwork
from gateway.jobs.access import ALL
from gateway.jobs.confinement import LIMITS
from gateway.jobs.door import CHANNEL
from gateway.jobs.folders import RunFolders
from gateway.jobs.proof import cli_name
from gateway.jobs.setup import Setup
from gateway.secret import Secret
from sandboxes.launch import Launch
from sandboxes.ownership import UID_BASE
from sandboxes.policy import Level, Limits

if TYPE_CHECKING:
    # A second to import, and settings are read from this module at every start.
    from claude_agent_sdk import ClaudeAgentOptions

    # As above.
    from claude_agent_sdk.types import SystemPromptFile, SystemPromptPreset

_SDK = find_spec("claude_agent_sdk")
assert _SDK is not None and _SDK.origin is not None, "the lock names it"

LAUNCHER = Path(__file__).parent / "cli"
BUNDLED_CLI = Path(_SDK.origin).parent / "_bundled" / "claude"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The SDK ends a run at a longer message; its default of 1 MB is less than one picture."""
CONNECT_TIMEOUT_MS = 30_000
"""How long the CLI waits for a server. The servers run already; a slow one is still starting."""
MICRO = 1_000_000

FIXED_ENVIRONMENT: Mapping[str, str] = {
    "PATH": PATH,
    "LANG": "C.UTF-8",
    # The model sees the tools of a run at once instead of searching for them.
    "ENABLE_TOOL_SEARCH": "false",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "MCP_TIMEOUT": str(CONNECT_TIMEOUT_MS),
    # A long call stays a call; in the background it would outlive the turn that asked for it.
    "CLAUDE_CODE_MCP_AUTO_BACKGROUND_MS": "0",
}
FROM_HOST = (
    "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "NO_PROXY", "no_proxy",
    "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""How the host reaches the network; for a CLI that shares it."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What every run shares."""

    api_key: Secret | None
    model: str
    """For runs that name none."""
    base_url: str | None = None
    cli: Path = field(default=BUNDLED_CLI)
    level: Level = Level.STRONG
    """How the CLI is confined."""
    limits: Limits = LIMITS
    uid_base: int = UID_BASE
    certificates: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Variables that name further authorities of this machine, such as a company's."""
    closed_ports: tuple[int, ...] = ()
    """The gateway's own, which runs with the machine's network must not reach."""
    prices: PriceList = field(default_factory=PriceList)
    standby_s: float = 0.0
    """How long a CLI waits for a run like the last one; 0: none does."""
    lease_file: Path | None = None
    """Says until when runs may go on without this gateway; None: as long as it lives."""


def cli_options(
    setup: Setup,
    folders: RunFolders,
    *,
    config: AgentConfig,
    launch: Launch,
    stderr: Callable[[str], None],
) -> "ClaudeAgentOptions":
    """Return the SDK's options. `launch`: how the CLI is confined."""
    # By now a run is being prepared, which needs it anyway.
    from claude_agent_sdk import ClaudeAgentOptions

    access, budget = setup.access, setup.budget_micro_usd
    return ClaudeAgentOptions(
        cli_path=LAUNCHER,
        cwd=folders.work,
        env=_orders(launch, folders, config),
        settings=_settings(setup.network),
        # A file and no variable: the CLI's Bash inherits variables, and the file is gone before
        # the model's first word.
        mcp_servers=folders.servers_file if access.servers else {},
        strict_mcp_config=True,
        setting_sources=[],
        permission_mode="dontAsk",
        tools=list(dict.fromkeys(rule.partition("(")[0] for rule in access.built_in)),
        allowed_tools=[*access.built_in, *(_rule(*pair) for pair in access.shown)],
        disallowed_tools=[cli_name(server, tool) for server, tool in setup.withheld],
        model=setup.model,
        system_prompt=_system_prompt(setup, folders),
        resume=setup.session_id,
        output_format=_output_format(setup.output_schema),
        max_turns=setup.max_turns,
        # The CLI counts by its own prices, which must not end a run that the owner's prices let
        # go on; the forwarder counts by ours.
        max_budget_usd=None if budget is None or config.prices.own else budget / MICRO,
        # Strangers write a webhook's prompt: no @file and no /command in it means anything.
        verbatim_prompts=setup.is_written_by_strangers,
        max_buffer_size=MAX_MESSAGE_BYTES,
        include_partial_messages=True,
        stderr=stderr,
    )


def cli_environment(
    folders: RunFolders, config: AgentConfig, *, api_url: str, api_token: str
) -> dict[str, str]:
    """Return the CLI's variables; there are no others but those of the SDK, and of the host."""
    return {
        **FIXED_ENVIRONMENT,
        **{name: str(path) for name, path in config.certificates.items()},
        "HOME": str(folders.home),
        "TMPDIR": str(folders.temporary),
        "CLAUDE_CODE_TMPDIR": str(folders.temporary),
        "ANTHROPIC_API_KEY": api_token,
        "ANTHROPIC_BASE_URL": api_url,
    }


def _orders(launch: Launch, folders: RunFolders, config: AgentConfig) -> dict[str, str]:
    """Return the CLI's variables and the orders for its wrapper, which drops all others."""
    strong = config.level is Level.STRONG
    kept = (*launch.env, "TZ", *(() if strong else FROM_HOST))
    orders = {
        "RUN_PYTHON": sys.executable,
        "RUN_COMMAND": join_words(launch.behind_wrapper() if strong else launch.argv),
        "RUN_DIRECTORY": str(launch.cwd),
        "RUN_GROUP_FILE": str(folders.group_file),
        "RUN_PARENT": str(os.getpid()),
        "RUN_KEEP": ",".join(kept),
    }
    if strong:
        orders["RUN_CHANNEL"] = str(folders.private / CHANNEL)
    if config.lease_file is not None:
        orders["RUN_LEASE_FILE"] = str(config.lease_file)
    return {**launch.env, **orders}


def join_words(words: Sequence[str]) -> str:
    """Return words of any characters as the lines that the wrapper splits."""
    return "\n".join(word.encode("unicode_escape").decode("ascii") for word in words)


def _settings(network: RunNetwork) -> str:
    return json.dumps(
        {
            # Ours is the fence: the CLI's sandbox around its shell needs rights that it does not
            # have here.
            "sandbox": {"enabled": False},
            # WebFetch asks Anthropic's website about each host first, which a run that was
            # narrowed to named hosts cannot reach; its owner has judged them.
            "skipWebFetchPreflight": network.access is NetworkAccess.HOSTS,
        }
    )


def _output_format(schema: str | None) -> dict[str, Any] | None:
    if schema is None:
        return None
    return {"type": "json_schema", "schema": json.loads(schema)}


def _rule(server: str, tool: str) -> str:
    return f"mcp__{server}__*" if tool == ALL else cli_name(server, tool)


def _system_prompt(setup: Setup, folders: RunFolders) -> "SystemPromptFile | SystemPromptPreset":
    if setup.system_prompt is None:
        return {"type": "preset", "preset": "claude_code"}
    return {"type": "file", "path": str(folders.system_prompt_file)}
