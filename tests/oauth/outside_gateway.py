"""A gateway for which the internet is what its argument says: JSON, [name, loopback port] pairs."""

import json
import sys

from gateway.serving import serve
from gateway.settings import load
from tests.outside import PUBLIC, FakeOutside

if __name__ == "__main__":
    # Each name has a public address of its own: they differ in nothing but the last number.
    prefix = PUBLIC.rpartition(".")[0]
    pairs = [(f"{prefix}.{number}", *pair) for number, pair in enumerate(json.loads(sys.argv[1]))]
    outside = FakeOutside(
        {name: [[address]] for address, name, _ in pairs},
        {(address, 443): port for address, _, port in pairs},
    )
    raise SystemExit(serve(load(env_file=None), outside=outside))
