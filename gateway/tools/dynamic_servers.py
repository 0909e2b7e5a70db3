"""Tools for dynamic servers: MCP servers that Claude writes, changes and removes."""

from typing import Annotated

from fastmcp.tools import tool
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.servers import Draft, ServerReport
from gateway.servers.code import parse_code, read_refused
from gateway.tools.arguments import CredentialKey, ServerName
from gateway.tools.authors import author
from gateway.tools.hints import CHANGE, OPEN, READ, SWITCH
from gateway.tools.metric_views import view_histories
from gateway.tools.server_views import (
    ServerAnswer,
    ServerDetail,
    ServerList,
    view_change,
    view_credentials,
    view_server,
    view_tools,
)
from gateway.tools.services import Services
from gateway.tools.views import Deleted
from sandboxes.policy import Network, NetworkMode
from sandboxes.recipe import PythonRecipe
from supervisor.events import ServerState
from supervisor.spec import DeclaredCredential, ServerKind


class CredentialArgument(BaseModel):
    """A credential that the server reads from its environment."""

    model_config = ConfigDict(extra="forbid")

    key: CredentialKey
    required: bool = True
    description: Annotated[str, Field(max_length=1000)] = ""


def _named(credential: object) -> object:
    """Return a credential that was given by its name alone as the object it stands for."""
    return {"key": credential} if isinstance(credential, str) else credential


Code = Annotated[
    str,
    Field(
        max_length=1_000_000,
        description=(
            "The whole text of server.py. Functions decorated with `@mcp.tool` are enough: `mcp` is"
            " a FastMCP that is provided and run. A whole server (`mcp = FastMCP('name')`, with or"
            " without `mcp.run()`) will do too. Type hints and docstrings become the schemas."
            " DATA_DIR is a global Path of the only folder it may write. Print to standard error,"
            " never to standard output."
        ),
    ),
]
Description = Annotated[str, Field(max_length=2000, description="What the server is for.")]
CredentialArguments = Annotated[
    list[Annotated[CredentialArgument, BeforeValidator(_named)]],
    Field(
        max_length=50,
        description=(
            "Secrets that the server reads from its environment, as names or objects. What the "
            "code reads with os.environ or os.getenv is found without this."
        ),
    ),
]
Hosts = Annotated[
    list[str],
    Field(
        max_length=100,
        description=(
            "Every host the server may reach over https, such as 'api.example.com', "
            "'*.example.com' for all names below it, or 'example.com:8443'; replaces what was "
            "granted before. Without any it has no network."
        ),
    ),
]


Dependencies = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=1000)]],
    Field(
        max_length=200,
        description=(
            "Python packages the server imports, such as 'httpx>=0.28': it gets an environment of "
            "its own, built from wheels before it starts. A script block (PEP 723) in the code "
            "says the same. Without any it has fastmcp and mcp. An empty list takes them back."
        ),
    ),
]


class DynamicServerTools:
    """create, list, get, update, delete, enable, disable."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @tool(title="Create an MCP server", annotations=OPEN)
    async def create_mcp_server(
        self,
        name: ServerName,
        code: Code,
        *,
        description: Description | None = None,
        credentials: CredentialArguments | None = None,
        network: Hosts | None = None,
        dependencies: Dependencies | None = None,
        enable: bool = True,
    ) -> ServerAnswer:
        """Write a new MCP server and start it in its own sandboxed process.

        Use it when a task needs a tool that does not exist yet. The answer has the tools that were
        found, the credentials that must be set, or why the server does not run with the end of
        its standard error. Its tools can be called at once with invoke_internal_mcp_tool. A server
        that does not start is kept: mend it with update_mcp_server. Packages may take a while to
        be installed: the state is starting until then.
        """
        draft = _draft(code, description, credentials, network, dependencies)
        report = await self._services.servers.create(name, draft, enable=enable, author=author())
        done = f"Server {name!r} is created and {report.snapshot.state}."
        return view_change(report, f"{done}{_remarks(report, code)}")

    @tool(title="List dynamic MCP servers", annotations=READ)
    async def list_dynamic_mcp_servers(self) -> ServerList:
        """List the servers that were written at run time: state, tools, missing credentials."""
        reports = await self._services.servers.reports(ServerKind.DYNAMIC)
        return ServerList(
            [view_server(report) for report in reports], list(self._services.servers.problems)
        )

    @tool(title="Get a dynamic MCP server", annotations=READ)
    async def get_dynamic_mcp_server(self, name: ServerName) -> ServerDetail:
        """Show a dynamic server in full: code, tools with schemas, credentials, standard error."""
        report = await self._services.servers.report(name, ServerKind.DYNAMIC)
        return ServerDetail(
            server=view_server(report),
            tools=view_tools(report.snapshot),
            credentials=view_credentials(report.credentials),
            code=await self._services.servers.code(name),
            stderr_tail=list(report.snapshot.stderr_tail),
            history=view_histories(report.metrics),
        )

    @tool(title="Change an MCP server", annotations=OPEN)
    async def update_mcp_server(
        self,
        name: ServerName,
        code: Code | None = None,
        *,
        description: Description | None = None,
        credentials: CredentialArguments | None = None,
        network: Hosts | None = None,
        dependencies: Dependencies | None = None,
    ) -> ServerAnswer:
        """Replace the code of a dynamic server, or change its description, grants or packages.

        The new code is started beside the old; calls move over once it is ready and none is lost.
        If it does not start, ok is false, the old code keeps serving and stays on disk, and the
        answer has the reason.
        """
        draft = _draft(code, description, credentials, network, dependencies)
        report = await self._services.servers.update(name, draft, author=author())
        done = (
            f"Server {name!r} is {report.snapshot.state}, generation {report.snapshot.generation}."
        )
        return view_change(report, f"{done}{_remarks(report, code)}")

    @tool(title="Delete an MCP server", annotations=CHANGE)
    async def delete_mcp_server(self, name: ServerName) -> Deleted:
        """Stop a dynamic server and delete its code, data folder and credentials for good."""
        await self._services.servers.delete(name)
        return Deleted(
            name, f"Server {name!r} is deleted with its code, its data folder and its credentials."
        )

    @tool(title="Enable an MCP server", annotations=SWITCH)
    async def enable_mcp_server(self, name: ServerName) -> ServerAnswer:
        """Start a dynamic server and keep it running, also after a restart of the gateway."""
        report = await self._services.servers.enable(name, ServerKind.DYNAMIC)
        return view_change(report, f"Server {name!r} is enabled and {report.snapshot.state}.")

    @tool(title="Disable an MCP server", annotations=SWITCH)
    async def disable_mcp_server(self, name: ServerName) -> ServerAnswer:
        """Stop a dynamic server and keep it stopped; its code, data and credentials stay."""
        report = await self._services.servers.disable(name, ServerKind.DYNAMIC)
        return view_change(report, f"Server {name!r} is disabled.")


def _draft(
    code: str | None,
    description: str | None,
    credentials: list[CredentialArgument] | None,
    hosts: list[str] | None,
    dependencies: list[str] | None,
) -> Draft:
    return Draft(
        code=code,
        description=description,
        credentials=None if credentials is None else tuple(map(_declared, credentials)),
        network=None if hosts is None else _network(hosts),
        dependencies=None if dependencies is None else tuple(dependencies),
    )


def _declared(credential: CredentialArgument) -> DeclaredCredential:
    return DeclaredCredential(credential.key, credential.required, credential.description)


def _network(hosts: list[str]) -> Network:
    return Network(NetworkMode.HOSTS, tuple(hosts)) if hosts else Network(NetworkMode.NONE)


def _remarks(report: ServerReport, code: str | None) -> str:
    """Return what else the author should know of the server that was just written."""
    said: list[str] = []
    if report.missing:
        said.append(f"Set {', '.join(report.missing)} with set_server_credential.")
    if report.undeclared_hosts:
        hosts = ", ".join(report.undeclared_hosts)
        said.append(
            f"Its code names hosts that it may not reach: {hosts}; grant them with network."
        )
    recipe = report.spec.recipe
    if isinstance(recipe, PythonRecipe) and recipe.added:
        said.append(f"{', '.join(recipe.added)} was added to its packages: the code imports it.")
    if report.snapshot.state is ServerState.STARTING:
        said.append(f"It is {report.snapshot.reason}.")
    said += [f"The code reads a variable that no server is given: {r}" for r in _refused(code)]
    return "".join(f" {sentence}" for sentence in said)


def _refused(code: str | None) -> tuple[str, ...]:
    return read_refused(parse_code(code)) if code else ()
