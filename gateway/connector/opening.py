"""Opens the connector doctor of a gateway, with the page and the route that show what it says."""

from dataclasses import dataclass

from quart import Blueprint

from gateway.auth.origins import Origins
from gateway.connector.doctor import ConnectorDoctor
from gateway.connector.pages import ConnectorPages, local_routes
from gateway.connector.probe import Probe
from gateway.dashboard.browser import Browser
from gateway.store.oauth_clients import OAuthClientTable


@dataclass(frozen=True, slots=True)
class Connector:
    """The doctor, and what the gateway serves for it."""

    doctor: ConnectorDoctor
    probe: Probe

    def pages(self, browser: Browser) -> Blueprint:
        """Return the page for the owner."""
        return ConnectorPages(self.doctor, browser).blueprint()

    def local_routes(self) -> Blueprint:
        """Return the route for the command line."""
        return local_routes(self.doctor)


def open_connector(clients: OAuthClientTable, origins: Origins, base_url: str) -> Connector:
    """Return the doctor of the gateway that listens at `base_url`."""
    probe = Probe()
    doctor = ConnectorDoctor(
        public=lambda: origins.public_origin,
        local=base_url,
        probe=probe,
        remove_client=clients.remove_unapproved,
    )
    return Connector(doctor, probe)
