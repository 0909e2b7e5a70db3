"""A credential set or deleted, and the server brought up with what it then has.

Above: tools, pages.
"""

from gateway.credentials import Credentials
from gateway.servers.report import ServerReport
from gateway.servers.servers import Servers


async def set_credential(
    servers: Servers, credentials: Credentials, server: str, key: str, value: str
) -> ServerReport:
    """Store a value for a server, start it with that, and report.

    Raises UnknownServer, CredentialRefused and RefusedName: nothing was changed.
    """
    servers.spec(server)
    await credentials.set(server, key, value)
    return await servers.renew(server)


async def delete_left_credential(
    servers: Servers, credentials: Credentials, server: str, key: str
) -> bool:
    """Delete a value of a server that is not there any more.

    False: the server is there, or there is no such value.
    """
    return server not in servers.names() and await credentials.delete(server, key)


async def delete_credential(
    servers: Servers, credentials: Credentials, server: str, key: str
) -> ServerReport | None:
    """Delete a stored value for good, restart the server without it, and report.

    None: there was none. Raises UnknownServer.
    """
    servers.spec(server)
    if not await credentials.delete(server, key):
        return None
    return await servers.renew_or_stop(server)
