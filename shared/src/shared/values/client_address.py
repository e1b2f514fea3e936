"""IP addresses of clients, as proxies and servers write them.

Read are `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, quotes around any of them (RFC 7239), zones
(`fe80::1%eth0`, dropped: they mean something on one machine only) and IPv4 in IPv6 (`::ffff:192.0.2.1`, which is the
IPv4 address). Names, `unknown` and obfuscated identifiers are none.
"""

import ipaddress
import re
from dataclasses import dataclass

#: The longest of them: a mapped address in brackets and quotes, with a zone of the longest interface name, and a port.
LONGEST = 80
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?")
#: The part of IPv6 that one household or one server gets.
_HOUSEHOLD = 64


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """An address in canonical spelling."""

    ip: ipaddress.IPv4Address | ipaddress.IPv6Address

    @classmethod
    def parse(cls, value: object) -> "ClientAddress | None":
        """The address in a text of any of the forms above; None where it is none. Never raises."""
        if not isinstance(value, str) or len(value) > LONGEST:
            return None
        text = value.strip().strip('"')
        if match := _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text):
            text = match[1]
        try:
            ip = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return None
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return cls(mapped or ip)

    @property
    def text(self) -> str:
        """The canonical spelling (RFC 5952)."""
        return str(self.ip)

    @property
    def is_public(self) -> bool:
        """Whether it identifies a network on the internet; a private address is that of a proxy."""
        return self.ip.is_global

    @property
    def network(self) -> str | None:
        """The /64 of an IPv6 address; None for an IPv4 address, which is counted by itself."""
        if isinstance(self.ip, ipaddress.IPv4Address):
            return None
        return str(ipaddress.ip_network((self.ip, _HOUSEHOLD), strict=False))

    @property
    def household(self) -> str:
        """The key for limits per address: the IPv4 address, or the /64 of an IPv6 address."""
        return self.network or self.text
