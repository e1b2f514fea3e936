"""What is demanded of the shops as a whole, besides the form of each file."""

from collections.abc import Iterable

from shared.shops.faults import Fault
from shared.shops.reading import Shops

#: RFC 2606: names that nobody owns.
_RESERVED = (".example", ".test", ".invalid", ".localhost", "example.com", "example.net", "example.org")


def no_example_addresses(shops: Shops) -> Iterable[Fault]:
    """In production: no shop writes from, or sends buyers to, a domain that is reserved for examples."""
    for slug, shop in shops.items():
        for field, address in (("support.email", shop.support.email), ("sender.email", shop.sender.email)):
            if address.endswith(_RESERVED):
                reason = f"{address} is an example; with ENVIRONMENT=production it must be the shop's own"
                yield Fault(f"{slug}/shop.toml", field, reason)
