"""Checks that the public holidays of each shop's country are known. Needs the extra `esim-shared[calendar]`."""

from collections.abc import Iterable

from shared.calendar import knows_country
from shared.shops.faults import Fault
from shared.shops.reading import Shops


def known_holidays(shops: Shops) -> Iterable[Fault]:
    """For services that count business days."""
    for slug, shop in shops.items():
        if shop.holidays is not None and not knows_country(shop.holidays):
            yield Fault(f"{slug}/shop.toml", "holidays", "is not a country whose public holidays are known")
