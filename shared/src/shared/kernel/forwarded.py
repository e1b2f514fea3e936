"""Finds the client of a connection that arrives through our own proxies (`X-Forwarded-For`)."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from shared.values.client_address import ClientAddress

Networks = Sequence[IPv4Network | IPv6Network]


def client_address(peer: str, forwarded: Iterable[str], trusted: Networks) -> str:
    """The client's address. `forwarded`: the values of `X-Forwarded-For`, as they arrived.

    Each proxy in `trusted` is believed for the address before its own: read from the right, the first address that is
    not a trusted proxy is the client. Reading ends at an entry that is no address.
    """
    address = ClientAddress.parse(peer)
    if address is None:
        return peer
    entries = [entry for value in forwarded for entry in value.split(",")]
    while entries and any(address.ip in network for network in trusted):
        before = ClientAddress.parse(entries.pop())
        if before is None:
            break
        address = before
    return address.text
