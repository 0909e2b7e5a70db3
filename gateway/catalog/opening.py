"""Makes the catalog of a gateway from its parts."""

import shutil

from gateway.catalog.desk import Catalog
from gateway.importing.planning import Ground
from gateway.servers import Servers
from gateway.settings import Settings
from supervisor.supervisor import Supervisor


def open_catalog(servers: Servers, supervisor: Supervisor, settings: Settings) -> Catalog:
    """Return what adds and updates servers."""
    private = (settings.home.resolve(), settings.master_key_file.resolve())
    ground = Ground(shutil.which, private)
    return Catalog(servers, supervisor, ground, settings.home / "servers")
