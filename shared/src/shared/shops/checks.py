"""What is demanded of the shops as a whole, besides the form of each file."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from shared.shops.faults import Fault
from shared.shops.reading import Shops

#: RFC 2606: names that nobody owns.
_RESERVED = (".example", ".test", ".invalid", ".localhost", "example.com", "example.net", "example.org")


def no_example_addresses(shops: Shops) -> Iterable[Fault]:
    """In production: no shop writes from, or sends buyers to, a domain that is reserved for examples."""
    for slug, shop in shops.items():
        for field, address in (("support.email", shop.support.email), ("sender.email", shop.sender.email)):
            if address.endswith(_RESERVED):
                yield _fault(slug, field, address)
        for field, page in (("site", shop.site), ("payment_page", shop.payment_page)):
            if page is not None and (urlsplit(page).hostname or "").endswith(_RESERVED):
                yield _fault(slug, field, page)


def _fault(slug: str, field: str, address: str) -> Fault:
    reason = f"{address} is an example; with ENVIRONMENT=production it must be the shop's own"
    return Fault(f"{slug}/shop.toml", field, reason)
