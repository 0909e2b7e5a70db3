"""Makes the catalog of a gateway from its parts."""

import shutil

from quart import Blueprint

from gateway.catalog.desk import Catalog
from gateway.catalog.routes import build_catalog_routes
from gateway.catalog.updating import Updates
from gateway.importing.planning import Ground
from gateway.servers import Servers
from gateway.settings import Settings
from supervisor.supervisor import Supervisor


def open_catalog(servers: Servers, supervisor: Supervisor, settings: Settings) -> Blueprint:
    """Return the routes by which servers are added and updated."""
    private = (settings.home.resolve(), settings.master_key_file.resolve())
    ground = Ground(shutil.which, private)
    catalog = Catalog(servers, supervisor, ground, settings.home / "servers")
    return build_catalog_routes(catalog, Updates(catalog, servers))
