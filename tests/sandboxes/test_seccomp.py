"""The filter, run in a small interpreter of classic BPF, also for machines we do not have."""

import errno
import struct

import pytest

from sandboxes import seccomp

MACHINES = sorted(seccomp.MACHINES)


def verdict(
    machine: str, number: int, *arguments: int, families: tuple[seccomp.Family, ...] = ()
) -> int:
    """What the kernel would answer to a call: a seccomp return value."""
    table = seccomp.MACHINES[machine]
    code = seccomp.program(table, families)
    return run(code, number, table.audit, *arguments)


def run(code: bytes, number: int, audit: int, *arguments: int) -> int:
    """Interpret a filter over one call."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    position, accumulator = 0, 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("<HBBI", code, position * 8)
        position += 1
        if operation == seccomp.RETURN:
            return value
        if operation == seccomp.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == seccomp.AND:
            accumulator &= value
        else:
            holds = {
                seccomp.EQUAL: accumulator == value,
                seccomp.AT_LEAST: accumulator >= value,
                seccomp.ANY_BIT: bool(accumulator & value),
            }[operation]
            position += if_true if holds else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_is_refused(machine: str) -> None:
    """Ours: with EPERM, so that a program can go on."""
    for number in seccomp.MACHINES[machine].refused.values():
        assert verdict(machine, number) == 0x00050000 | errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_namespaces_cannot_be_made_by_clone(machine: str) -> None:
    """Ours: by no flag; an ordinary fork or thread passes."""
    clone = seccomp.MACHINES[machine].clone
    for flag in (0x80, *(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))):
        assert verdict(machine, clone, flag | 17) == seccomp.REFUSE
    assert verdict(machine, clone, 0x3D0F00) == seccomp.ALLOW
    assert verdict(machine, seccomp.CLONE3) == seccomp.ABSENT


@pytest.mark.parametrize("machine", MACHINES)
def test_socket_families(machine: str) -> None:
    """Ours: none without network; the internet and the resolver's netlink with it."""
    socket = seccomp.MACHINES[machine].socket
    for family in range(64):
        assert verdict(machine, socket, family, 1) == seccomp.REFUSE
    passed = {
        (f, t, p)
        for f in range(64)
        for t in (1, 2, 3)
        for p in (0, 15, 256, 262)
        if verdict(machine, socket, f, t, p, families=seccomp.INTERNET) == seccomp.ALLOW
    }
    families = (seccomp.AF_INET, seccomp.AF_INET6)
    internet = {(f, t, p) for f in families for t in (1, 2, 3) for p in (0, 15)}
    assert passed == internet | {(seccomp.AF_NETLINK, t, 0) for t in (1, 2, 3)}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_child_with_a_proxy_opens_tcp_alone(machine: str) -> None:
    """Ours: there is nothing but the proxy to talk to, and it speaks TCP."""
    socket = seccomp.MACHINES[machine].socket
    passed = {
        (f, t, p)
        for f in range(64)
        for t in (1, 2, 3, 5, 1 | 0x80000)
        for p in (0, 6, 256, 262)
        if verdict(machine, socket, f, t, p, families=seccomp.PROXY) == seccomp.ALLOW
    }
    assert passed == {(seccomp.AF_INET, t, p) for t in (1, 1 | 0x80000) for p in (0, 6)}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_data_is_sent_that_connects_by_itself(machine: str) -> None:
    """Ours: Landlock looks at connect(2) alone, and TCP Fast Open connects in sendto(2)."""
    for number, offset in seccomp.MACHINES[machine].sends:
        flags = [0, 0, 0, 0]
        assert verdict(machine, number, *flags) == seccomp.ALLOW
        flags[(offset - seccomp.FIRST) // 8] = seccomp.MSG_FASTOPEN | 0x4000
        assert verdict(machine, number, *flags) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_foreign_and_future_calls(machine: str) -> None:
    """Ours: another calling convention kills, an unknown number does not exist."""
    table = seccomp.MACHINES[machine]
    code = seccomp.program(table, ())
    assert run(code, 0, 0x40000003) == seccomp.KILL
    assert verdict(machine, seccomp.X32_BIT | 1) == seccomp.KILL
    assert verdict(machine, 9999) == seccomp.ABSENT
    assert verdict(machine, table.ioctl, 0, 0x5412) == seccomp.REFUSE
    assert verdict(machine, table.ioctl, 0, 0x541B) == seccomp.ALLOW
    assert verdict(machine, 63 if machine == "aarch64" else 0) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_limits_and_priorities_of_others_are_refused(machine: str) -> None:
    """Ours: a plain user's children run as the gateway's own user."""
    table = seccomp.MACHINES[machine]
    for number in table.only_self:
        assert verdict(machine, number, 0) == seccomp.ALLOW
        assert verdict(machine, number, 1234) == seccomp.REFUSE
    assert verdict(machine, table.setpriority, 0, 0, 5) == seccomp.ALLOW
    assert verdict(machine, table.setpriority, 0, 1234, 5) == seccomp.REFUSE
    assert verdict(machine, table.setpriority, 2, 0, 5) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_what_the_watch_could_not_count_is_closed(machine: str) -> None:
    """Ours: memory without a folder or a mapping, and hiding from whoever looks."""
    table = seccomp.MACHINES[machine]
    assert verdict(machine, table.memfd_create, 0) == seccomp.ABSENT
    assert verdict(machine, table.prctl, seccomp.PR_SET_DUMPABLE, 0) == seccomp.REFUSE
    assert verdict(machine, table.prctl, 15) == seccomp.ALLOW
