"""Numbers as people read them."""

from dataclasses import replace

import pytest

from gateway.cli.status import notes
from gateway.dashboard.views import duration, mebibytes, milliseconds, money, server_row
from gateway.domain.units import instant, size
from gateway.local_routes import view_server
from sandboxes.packages.build import Built
from sandboxes.policy import MIB, Network, NetworkMode
from tests.dashboard.parts import METRICS, SNAPSHOT


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (86400 + 3600, "1 d 1 h"),
    ],
)
def test_duration_is_short(seconds: float | None, text: str) -> None:
    """Ours: the page changes once a minute for an old child, not every second."""
    assert duration(seconds) == text


def test_money_is_in_dollars_with_four_digits() -> None:
    """Ours."""
    assert (money(None), money(12_300)) == ("-", "$0.0123")


def test_instant_names_its_zone() -> None:
    """Ours."""
    assert instant(1_795_330_000_000) == "2026-11-22 06:46:40 UTC"


def test_use_is_shown_with_its_unit() -> None:
    """Ours: three digits are enough."""
    assert (mebibytes(None), mebibytes(18_664_653)) == ("-", "17.8 MiB")
    shown = [milliseconds(value) for value in (None, 0.4213, 42.13, 421.3, 1534.2)]
    assert shown == ["-", "0.421 ms", "42.1 ms", "421 ms", "1.53 s"]


def test_sizes_are_short() -> None:
    """Ours."""
    amounts = (0, 1023, 3174, 20 * MIB, 1536 * MIB)
    assert [size(each) for each in amounts] == [
        "0 B", "1023 B", "3.1 KiB", "20.0 MiB", "1.5 GiB",
    ]  # fmt: skip


def test_an_owner_sees_why_a_call_to_a_host_failed() -> None:
    """Ours: what is granted, what was refused, what went through, in page and command line."""
    seen = replace(
        SNAPSHOT,
        network=Network(NetworkMode.HOSTS, ("api.example.com",)),
        refused_hosts=tuple(f"h{number}.example.com:443" for number in range(5)),
        bytes_out=3174,
        bytes_in=20 * MIB,
        packages=("httpx>=0.28",),
        environment=Built("key", 1_795_330_000_000, 34 * MIB),
    )
    row = server_row(seen, METRICS)
    assert row.refused == "h2.example.com:443, h3.example.com:443, h4.example.com:443"
    assert (row.hosts, row.traffic) == ("api.example.com", "3.1 KiB out, 20.0 MiB in")
    assert row.packages == "httpx>=0.28"
    assert row.environment == "34.0 MiB, built 2026-11-22 06:46:40 UTC"
    assert list(notes(view_server(seen, METRICS))) == [
        "may reach api.example.com (3.1 KiB out, 20.0 MiB in)",
        f"was refused {', '.join(seen.refused_hosts)}",
        "has packages of its own: httpx>=0.28 (34.0 MiB, built 2026-11-22 06:46:40 UTC)",
    ]


def test_a_plain_server_has_nothing_to_add() -> None:
    """Ours: no network, the shipped environment; packages that are not there yet say so."""
    row = server_row(SNAPSHOT, METRICS)
    assert (row.traffic, row.refused, row.packages, row.environment) == ("", "", "", "")
    assert list(notes(view_server(SNAPSHOT, METRICS))) == []
    unbuilt = replace(SNAPSHOT, packages=("toy",))
    assert list(notes(view_server(unbuilt, METRICS))) == [
        "has packages of its own: toy (not built yet)"
    ]
