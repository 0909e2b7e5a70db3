"""Attacks by sockets of every family, by names, and by sockets of the machine."""

import socket

from arsenal import LIBC, Blocked, attack, call, first


def opened(family, *kinds, protocol=0):
    """Open a socket of a family; one kind suffices."""

    def open_one(kind):
        socket.socket(family, kind, protocol).close()
        return "opened"

    return first(*[lambda k=k: open_one(k) for k in kinds or (1, 2, 3, 5)])


@attack
def connect_to_gateway(t):
    with socket.create_connection(("127.0.0.1", t["port"]), 2):
        return "connected"


@attack
def connect_to_gateway_by_ipv6(t):
    with socket.socket(socket.AF_INET6) as made:
        made.connect(("::ffff:127.0.0.1", t["port"]))
        return "connected"


@attack
def listen_on_loopback(t):
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        return "listening"


@attack
def send_datagrams(t):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        return made.sendto(b"x", ("127.0.0.1", 53))


@attack
def reach_metadata_service(t):
    with socket.create_connection(("169.254.169.254", 80), 1):
        return "connected"


@attack
def open_raw_socket(t):
    return opened(socket.AF_INET, socket.SOCK_RAW, protocol=1)


@attack
def open_multipath_socket(t):
    return opened(socket.AF_INET, 1, protocol=262)


@attack
def open_ipv6_socket(t):
    return opened(socket.AF_INET6)


@attack
def open_netlink_socket(t):
    return opened(socket.AF_NETLINK, 2, 3)


@attack
def open_audit_socket(t):
    return opened(socket.AF_NETLINK, 3, protocol=9)


@attack
def open_packet_socket(t):
    return opened(17)


@attack
def open_vsock_socket(t):
    return opened(40)


@attack
def open_crypto_socket(t):
    return opened(38, 5)


@attack
def open_bluetooth_socket(t):
    return opened(31)


@attack
def open_can_socket(t):
    return opened(29)


@attack
def open_xdp_socket(t):
    return opened(44)


@attack
def open_every_other_family(t):
    known = (1, 2, 10, 16)
    return first(*[lambda f=f: opened(f) for f in range(64) if f not in known])


@attack
def connect_to_unix_socket(t):
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(t["unix_path"])
        return "connected"


@attack
def connect_to_abstract_socket(t):
    with socket.socket(socket.AF_UNIX) as made:
        made.connect("\0" + t["unix_abstract"])
        return "connected"


@attack
def reconnect_a_pair(t):
    def pair(kind):
        one, _other = socket.socketpair(socket.AF_UNIX, kind)
        try:
            one.connect(t["unix_path"])
        except OSError as error:
            if error.errno == 106:  # a connected stream stays connected
                raise Blocked("stays with its peer") from None
            raise
        return "reconnected"

    return first(lambda: pair(socket.SOCK_DGRAM), lambda: pair(socket.SOCK_STREAM))


@attack
def reach_machine_sockets(t):
    paths = ("/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket")

    def connect(path):
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(path)
            return path

    return first(*[lambda p=p: connect(p) for p in paths])


@attack
def look_up_names(t):
    try:
        return socket.getaddrinfo("example.com", 443)
    except socket.gaierror as error:
        raise Blocked(f"no answer ({error.errno})") from None


@attack
def open_socket_by_ring(t):
    return call(425, 425, 4, bytes(256))


@attack
def change_network_interfaces(t):
    if LIBC.sethostname(b"planted", 7) == 0:
        return "renamed the machine"
    return opened(socket.AF_INET, 2)
