"""Which addresses a granted name may lead to."""

import pytest

from sandboxes.network.addresses import is_allowed

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
PUBLIC += ["64:ff9b::101:101", "2002:101:101::1", "2a00:1450:4001::200e"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"]
PRIVATE += ["fd12:3456::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"]
NEVER = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1"),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "::ffff:0:127.0.0.1"),
    *("2002:7f00:1::1", "2002:a9fe:a9fe::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    *("2001:db8::1", "2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:7f00:1", "3fff::1"),
    *("fe80::1", "fe80::1%lo", "2606:4700::1%eth0", "fec0::1", "ff02::1", "100::1", "5f00::1"),
    *("", "example.com", "1.2.3", "0x7f000001", "2130706433"),
]


@pytest.mark.parametrize("private", [False, True])
def test_addresses_are_judged_by_where_packets_end(*, private: bool) -> None:
    """Ours: public ones only; the owner may add private networks, never this machine."""
    assert {a for a in PUBLIC if is_allowed(a, private=private)} == set(PUBLIC)
    assert {a for a in PRIVATE if is_allowed(a, private=private)} == set(PRIVATE if private else ())
    assert [a for a in NEVER if is_allowed(a, private=private)] == []
