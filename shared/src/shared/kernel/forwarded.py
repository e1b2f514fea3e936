"""Who is at the other end of a connection that comes through proxies of ours."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from shared.values.client_address import ClientAddress

Networks = Sequence[IPv4Network | IPv6Network]


def client_address(peer: str, forwarded: Iterable[str], trusted: Networks) -> str:
    """The address to count a client by. `forwarded`: the values of `X-Forwarded-For`, as they came.

    Only a proxy whose address is in `trusted` is believed, each for the address before its own: read from the right,
    the first that is not a trusted proxy is the client. An entry that is no address ends the reading.
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
