"""Decides whether an address is on the public internet: the guard against requests into our own networks. Pure.

Python's `is_global` is not enough: it depends on the version of Python, and it judges an IPv6 address that carries an
IPv4 address by its prefix only. Sources: the IANA special-purpose address registries (RFC 6890), RFC 6052 (NAT64),
RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT; metadata of one cloud (100.100.100.200)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's own agent, on a public address that only its machines reach
        "169.254.0.0/16",  # link-local; metadata of most clouds (169.254.169.254)
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata of one cloud (192.0.0.192)
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
#: Only 2000::/3 is assigned; everything else (loopback, fc00::/7, fe80::/10, fec0::/10, ff00::/8) is not public.
_ASSIGNED_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: deprecated, and carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
#: Translates to the IPv4 address in its last 32 bits, as DNS64 answers for an IPv4-only host.
_NAT64 = IPv6Network("64:ff9b::/96")


def parse(text: str) -> Address | None:
    """An address as `getaddrinfo` writes it; None where it is none, or has a scope (`fe80::1%eth0`)."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id is not None else address


def is_public(address: Address) -> bool:
    """Whether packets to this address leave for the public internet."""
    if isinstance(address, IPv6Address):
        carried = carried_ipv4(address)
        if carried is not None:
            return is_public(carried)
        return address in _ASSIGNED_6 and not any(address in network for network in _NOT_PUBLIC_6)
    return not any(address in network for network in _NOT_PUBLIC_4)


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether it lies in one of these networks; a mapped address counts as the IPv4 address that it carries."""
    carried = carried_ipv4(address) if isinstance(address, IPv6Address) else None
    return any((carried or address) in network for network in networks)


def carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to a mapped or NAT64 address reach."""
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
