"""Tools for dynamic servers: MCP servers that Claude writes, changes and removes."""

from dataclasses import replace

from fastmcp.tools import tool

from gateway.servers import ServerReport
from gateway.tools.arguments import ServerName
from gateway.tools.authors import author
from gateway.tools.hints import CHANGE, OPEN, READ, SWITCH
from gateway.tools.metric_views import view_histories
from gateway.tools.sentences import Refused
from gateway.tools.server_arguments import (
    Code,
    CredentialArguments,
    Dependencies,
    Description,
    Hosts,
    NewText,
    OldText,
    to_draft,
    to_edit,
)
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
from sandboxes.packages.recipe import PythonRecipe
from supervisor.events import ServerState
from supervisor.spec import ServerKind


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
        draft = to_draft(code, description, credentials, network, dependencies)
        report = await self._services.servers.create(name, draft, enable=enable, author=author())
        done = f"Server {name!r} is created and {report.snapshot.state}."
        return view_change(report, f"{done}{_remarks(report)}")

    @tool(title="List dynamic MCP servers", annotations=READ)
    async def list_dynamic_mcp_servers(self) -> ServerList:
        """List the servers that were written at run time: state, tools, missing credentials."""
        reports = await self._services.servers.reports(ServerKind.DYNAMIC)
        return ServerList(
            [view_server(report) for report in reports], list(self._services.servers.disk.problems)
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
        old_text: OldText | None = None,
        new_text: NewText | None = None,
        description: Description | None = None,
        credentials: CredentialArguments | None = None,
        network: Hosts | None = None,
        dependencies: Dependencies | None = None,
    ) -> ServerAnswer:
        """Change a dynamic server: its code, description, grants or packages; the rest stays.

        Give the whole new `code`, or `old_text` and `new_text` for one exact replacement in the
        present code. The new code is started beside the old; calls move over once it is ready and
        none is lost. If it does not start, ok is false, the old code keeps serving and stays on
        disk, and the answer has the reason, with the line of the code that failed.
        """
        self._services.servers.spec(name, ServerKind.DYNAMIC)
        edit = to_edit(code, old_text, new_text)
        if edit is None and all(
            given is None for given in (code, description, credentials, network, dependencies)
        ):
            raise Refused(
                f"Nothing of server {name!r} is named to be changed; give code, old_text with "
                f"new_text, or a declaration."
            )
        if any(credential.value is not None for credential in credentials or ()):
            raise Refused("update_mcp_server stores no secrets; use set_server_credential.")
        draft = replace(to_draft(code, description, credentials, network, dependencies), edit=edit)
        report = await self._services.servers.update(name, draft, author=author())
        done = (
            f"Server {name!r} is {report.snapshot.state}, generation {report.snapshot.generation}."
        )
        if report.version is None:
            done = f"Server {name!r} runs exactly this already; nothing was changed."
        return view_change(report, f"{done}{_remarks(report)}")

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


def _remarks(report: ServerReport) -> str:
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
    refused = report.refused_reads
    said += [f"The code reads a variable that no server is given: {each}" for each in refused]
    return "".join(f" {sentence}" for sentence in said)
