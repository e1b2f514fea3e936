"""What a shop promises its buyers about time, from its folder; settings of before count above it for one release."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from provisioning.settings import Settings
from shared.shops.files import ShopFiles

_UTC = ZoneInfo("UTC")


class ShopTerms:
    """Deadlines, time zone and validity of each shop; the service's own where a shop has none."""

    def __init__(self, settings: Settings, shops: ShopFiles) -> None:
        self._settings = settings
        self._shops = shops

    def deadline(self, storefront: str) -> timedelta:
        """How long after payment an order fails for which no eSIM was made."""
        shop, settings = self._shops.shop(storefront), self._settings
        own = settings.storefront_deadline_seconds.get(storefront) or (shop and shop.deadlines.delivery_seconds)
        return timedelta(seconds=own or settings.provisioning_deadline_seconds)

    def unused_days(self, storefront: str) -> int:
        """How long after purchase an eSIM may wait for its first activation (RC 7)."""
        shop, settings = self._shops.shop(storefront), self._settings
        own = settings.storefront_unused_validity_days.get(storefront) or (shop and shop.deadlines.unused_days)
        return own or settings.unused_validity_days

    def zone(self, storefront: str) -> ZoneInfo:
        """The time zone of its calendar days."""
        shop = self._shops.shop(storefront)
        return self._settings.storefront_time_zones.get(storefront) or (_UTC if shop is None else shop.zone)

    def unused_notice(self, storefront: str) -> int:
        """How many days before, the end of an unused eSIM is announced."""
        shop = self._shops.shop(storefront)
        return (shop and shop.deadlines.unused_notice_days) or self._settings.unused_notice_days

    def plan_notice(self, storefront: str) -> int:
        """How many days before, the end of a plan is announced."""
        shop = self._shops.shop(storefront)
        return (shop and shop.deadlines.plan_notice_days) or self._settings.plan_notice_days
