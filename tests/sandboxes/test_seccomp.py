"""The filter, run in a small interpreter of classic BPF, also for machines we do not have."""

import errno
import struct

import pytest

from sandboxes.confinement import machines, seccomp

MACHINES = sorted(machines.MACHINES)


OWN = seccomp.Sharing()
SAME_USER = seccomp.Sharing(user=True)
SAME_FILES = seccomp.Sharing(files=True)
SAME_BOTH = seccomp.Sharing(user=True, files=True)


def verdict(
    machine: str,
    number: int,
    *arguments: int,
    families: tuple[seccomp.Family, ...] = (),
    sharing: seccomp.Sharing = OWN,
) -> int:
    """What the kernel would answer to a call: a seccomp return value."""
    table = machines.MACHINES[machine]
    code = seccomp.program(table, families, sharing)
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
    for number in machines.MACHINES[machine].refused.values():
        assert verdict(machine, number) == 0x00050000 | errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_namespaces_cannot_be_made_by_clone(machine: str) -> None:
    """Ours: by no flag; an ordinary fork or thread passes."""
    clone = machines.MACHINES[machine].clone
    for flag in (0x80, *(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))):
        assert verdict(machine, clone, flag | 17) == seccomp.REFUSE
    assert verdict(machine, clone, 0x3D0F00) == seccomp.ALLOW
    assert verdict(machine, seccomp.CLONE3) == seccomp.ABSENT


@pytest.mark.parametrize("machine", MACHINES)
def test_socket_families(machine: str) -> None:
    """Ours: none without network; the internet and the resolver's netlink with it."""
    socket = machines.MACHINES[machine].socket
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
    socket = machines.MACHINES[machine].socket
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
    for number, offset in machines.MACHINES[machine].sends:
        flags = [0, 0, 0, 0]
        assert verdict(machine, number, *flags) == seccomp.ALLOW
        flags[(offset - machines.FIRST) // 8] = seccomp.MSG_FASTOPEN | 0x4000
        assert verdict(machine, number, *flags) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_foreign_and_future_calls(machine: str) -> None:
    """Ours: another calling convention kills, an unknown number does not exist."""
    table = machines.MACHINES[machine]
    code = seccomp.program(table, (), OWN)
    assert run(code, 0, 0x40000003) == seccomp.KILL
    assert verdict(machine, seccomp.X32_BIT | 1) == seccomp.KILL
    assert verdict(machine, 9999) == seccomp.ABSENT
    assert verdict(machine, table.ioctl, 0, 0x5412) == seccomp.REFUSE
    assert verdict(machine, table.ioctl, 0, 0x541B) == seccomp.ALLOW
    assert verdict(machine, 63 if machine == "aarch64" else 0) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_limits_and_priorities_of_others_are_refused(machine: str) -> None:
    """Ours: a plain user's children run as the gateway's own user."""
    table = machines.MACHINES[machine]
    for number in table.only_self:
        assert verdict(machine, number, 0) == seccomp.ALLOW
        assert verdict(machine, number, 1234) == seccomp.REFUSE
    for number, process in zip(table.priorities, (0, 1), strict=True):
        assert verdict(machine, number, process, 0, 5) == seccomp.ALLOW
        assert verdict(machine, number, process, 1234, 5) == seccomp.REFUSE
        assert verdict(machine, number, 2, 0, 5) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_attributes_are_closed_to_who_shares_user_and_files(machine: str) -> None:
    """Ours: Landlock has no right for them; who has a tree or a user of its own may set them."""
    table = machines.MACHINES[machine]
    for number in table.attributes.values():
        assert verdict(machine, number, sharing=SAME_BOTH) == seccomp.REFUSE
        for sharing in (OWN, SAME_USER, SAME_FILES):
            assert verdict(machine, number, sharing=sharing) == seccomp.ALLOW
    for request in (0x40086602, 0x401C5820, 0x40806685, 0x40087602):
        assert verdict(machine, table.ioctl, 3, request, sharing=SAME_BOTH) == seccomp.REFUSE
        assert verdict(machine, table.ioctl, 3, request) == seccomp.ALLOW
    assert verdict(machine, table.ioctl, 3, 0x541B, sharing=SAME_BOTH) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_files_are_watched_by_who_shares_nothing(machine: str) -> None:
    """Ours: a watch needs no right of Landlock, and a user's instances are few."""
    for number in machines.MACHINES[machine].inotify:
        assert verdict(machine, number) == seccomp.ALLOW
        for sharing in (SAME_USER, SAME_FILES, SAME_BOTH):
            assert verdict(machine, number, sharing=sharing) == seccomp.EXHAUSTED


@pytest.mark.parametrize("machine", MACHINES)
def test_what_the_watch_could_not_count_is_closed(machine: str) -> None:
    """Ours: memory without a folder or a mapping, and hiding from whoever looks."""
    table = machines.MACHINES[machine]
    assert verdict(machine, table.memfd_create, 0) == seccomp.ABSENT
    assert verdict(machine, table.prctl, seccomp.PR_SET_DUMPABLE, 0) == seccomp.REFUSE
    assert verdict(machine, table.prctl, 15) == seccomp.ALLOW
    thread = 0x3D0F00
    assert verdict(machine, table.clone, thread) == seccomp.ALLOW
    assert verdict(machine, table.clone, thread & ~0x400) == seccomp.REFUSE
    assert verdict(machine, seccomp.CLOSE_RANGE, 3, 9, 0) == seccomp.ALLOW
    assert verdict(machine, seccomp.CLOSE_RANGE, 3, 9, 2) == seccomp.REFUSE
