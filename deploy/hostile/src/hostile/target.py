"""The running product, as somebody hostile sees it: addresses, and the keys that somebody may have stolen."""

from collections.abc import Callable
from dataclasses import dataclass

from local_stack.access import storefront_user
from local_stack.product import EPAY_TERMINAL, TELEGRAM_SECRET, TELEGRAM_SHOP, WHATSAPP_NUMBER, WHATSAPP_SHOP
from local_stack.site import Site
from shared.contracts import orders_topic
from shared.messaging.access import KafkaAccess

#: All that serve HTTP and are judged.
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds", "operations")


@dataclass(frozen=True)
class Target:
    """`access_as` returns a user's login at the brokers; `services` are those that run."""

    site: Site
    access_as: Callable[[str], KafkaAccess]
    prefix: str = ""
    services: tuple[str, ...] = SERVICES

    @property
    def shops(self) -> list[str]:
        """The storefronts' names."""
        return sorted(self.site.storefront_keys)

    def keys_of(self, service: str) -> dict[str, str]:
        """The keys with which that service lets somebody in, by who holds them."""
        keys = {"operator": self.site.operations_keys["operator"]}
        if service != "operations":
            keys["agent"] = self.agent_key
        if service in ("ordering", "payments", "refunds", "notifications"):
            keys["shop"] = self.site.storefront_keys[self.shops[0]]
        return keys

    @property
    def agent_key(self) -> str:
        """A support agent's key."""
        return next(iter(self.site.agent_keys.values()))

    def shop_topic(self, shop: str) -> tuple[str, str]:
        """(user, topic without its prefix) by which that shop submits orders."""
        return storefront_user(shop), orders_topic(shop)


__all__ = [
    "EPAY_TERMINAL",
    "SERVICES",
    "TELEGRAM_SECRET",
    "TELEGRAM_SHOP",
    "WHATSAPP_NUMBER",
    "WHATSAPP_SHOP",
    "Target",
]


def of_site(site: Site) -> Target:
    """A local stack's."""
    return Target(site, lambda user: KafkaAccess(site.bootstrap_servers, user, site.kafka_passwords[user]))
