"""The storefronts that emails come from, as the shops' folder has them."""

from collections.abc import Iterator, Mapping

from notifications.emails import Storefront
from shared.shops.files import ShopFiles
from shared.shops.models import Shop


class Storefronts(Mapping[str, Storefront]):
    """Storefronts in force, by slug. A changed folder changes them."""

    def __init__(self, shops: ShopFiles) -> None:
        self._shops = shops

    def __getitem__(self, slug: str) -> Storefront:
        return storefront_of(self._shops.current()[slug])

    def __iter__(self) -> Iterator[str]:
        return iter(self._shops.current())

    def __len__(self) -> int:
        return len(self._shops.current())


def storefront_of(shop: Shop) -> Storefront:
    """What emails need of a shop."""
    return Storefront(
        name=shop.name,
        address=shop.sender.email,
        support=shop.support.email,
        alerts=None if shop.alerts is None else shop.alerts.email,
        time_zone=shop.time_zone,
        accent=shop.brand.accent,
        sms_sender=shop.sender.sms,
        reply_tags=shop.support.reply_tags,
        payment_page=shop.payment_page,
        site=shop.site,
    )
