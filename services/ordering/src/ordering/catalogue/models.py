"""The catalogue: what the shops' folder says of storefronts, their documents, plans and prices at one moment."""

from collections.abc import Iterator
from datetime import UTC, datetime

from shared.contracts import Money, Plan
from shared.shops.entry import in_force
from shared.shops.models import Documents, Shop
from shared.shops.plans import PlanVersion
from shared.shops.reading import Shops

_EVER = datetime.max.replace(tzinfo=UTC)


class Catalogue:
    """All storefronts with what they sell at this moment. It stays the same until the moment `until`."""

    def __init__(self, shops: Shops, at: datetime) -> None:
        self.since = at
        self.until = min((moment for moment in _moments(shops) if moment > at), default=_EVER)
        self._shops = shops
        self._documents = {slug: in_force(shop.documents, at) or shop.documents[0] for slug, shop in shops.items()}
        self._offers = {(slug, plan.id): (plan, price) for slug in shops for plan, price in _sold(shops[slug], at)}

    @property
    def storefronts(self) -> tuple[Shop, ...]:
        """All of them, by name."""
        return tuple(self._shops.values())

    def storefront(self, slug: str) -> Shop | None:
        """The storefront of that name, or None."""
        return self._shops.get(slug)

    def documents(self, storefront: str) -> Documents:
        """The versions in force: what a buyer accepts now, and what decides about a refund of an order paid now."""
        return self._documents[storefront]

    def offer(self, storefront: str, plan: str) -> tuple[Plan, Money] | None:
        """The plan and its price; None where that storefront does not sell it."""
        return self._offers.get((storefront, plan))

    def sold_by(self, storefront: str) -> list[tuple[Plan, Money]]:
        """All plans of a storefront with their prices, in the sequence of its file."""
        return [offer for (slug, _), offer in self._offers.items() if slug == storefront]


def _sold(shop: Shop, at: datetime) -> Iterator[tuple[Plan, Money]]:
    versions: dict[str, list[PlanVersion]] = {}
    for version in shop.plans:
        versions.setdefault(version.id, []).append(version)
    for versions_of_plan in versions.values():
        current = in_force(versions_of_plan, at)
        if current is not None and current.sold(at):
            yield current.plan, Money(amount=current.price, currency=shop.currency)


def _moments(shops: Shops) -> Iterator[datetime]:
    """Every moment at which something takes effect or ends."""
    for shop in shops.values():
        starts = (
            *(documents.effective_from for documents in shop.documents),
            *(plan.effective_from for plan in shop.plans),
        )
        ends = (plan.effective_until for plan in shop.plans)
        yield from (moment for moment in (*starts, *ends) if moment is not None)
