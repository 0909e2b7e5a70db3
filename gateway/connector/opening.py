"""Opens the connector doctor of a gateway, with the page and the route that show what it says."""

from dataclasses import dataclass

from quart import Blueprint

from gateway.connector.doctor import ConnectorDoctor
from gateway.connector.further import further_steps
from gateway.connector.pages import ConnectorPages, local_routes
from gateway.connector.probe import Probe
from gateway.connector.watch import AddressWatch
from gateway.dashboard.browser import Browser
from gateway.domain.clock import utc_ms
from gateway.oauth.journal import Journal
from gateway.reach.opening import Reach
from gateway.settings import Settings
from gateway.store.oauth_clients import OAuthClientTable


@dataclass(frozen=True, slots=True)
class Connector:
    """The doctor, and what the gateway serves for it."""

    doctor: ConnectorDoctor
    probe: Probe
    reach: Reach
    watch: AddressWatch | None
    """None: PUBLIC_URL is not set."""

    async def run(self) -> None:
        """Have the public address asked now and then, if there is one."""
        if self.watch is not None:
            await self.watch.run()

    def address_trouble(self) -> str:
        """Return why others do not reach the gateway, one sentence; empty while they may."""
        tunnel = self.reach.tunnel
        told = "" if tunnel is None else tunnel.status.trouble()
        return told or ("" if self.watch is None else self.watch.trouble())

    def pages(self, browser: Browser) -> Blueprint:
        """Return the page for the owner."""
        return ConnectorPages(self.doctor, browser, self.reach).blueprint()

    def local_routes(self) -> Blueprint:
        """Return the route for the command line."""
        return local_routes(self.doctor)


def open_connector(
    settings: Settings, clients: OAuthClientTable, reach: Reach, journal: Journal, base_url: str
) -> Connector:
    """Return the doctor of the gateway that listens at `base_url`."""
    probe = Probe()
    doctor = ConnectorDoctor(
        public=lambda: reach.origins.public_origin,
        local=base_url,
        probe=probe,
        remove_client=clients.remove_unapproved,
        further=further_steps(settings, reach, journal.failures),
    )
    watched = settings.public_url
    watch = None if watched is None else AddressWatch(watched, utc_ms)
    return Connector(doctor, probe, reach, watch)
