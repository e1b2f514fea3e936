"""The catalogue: what the shops' folder says of storefronts, their documents, plans and prices at one moment."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from pydantic import StringConstraints

from shared.contracts import Language, Money, Plan
from shared.shops.entry import Entry, in_force
from shared.shops.models import Shop
from shared.shops.plans import PlanVersion
from shared.shops.reading import Shops

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=40)]
_EVER = datetime.max.replace(tzinfo=UTC)


class Documents(Entry):
    """The versions in force: what a buyer accepts now, and what decides about a refund of an order that is paid now."""

    offer: Version
    privacy: Version
    refund: Version


class Support(Entry):
    """Where buyers ask for help."""

    email: Line
    other: tuple[Line, ...] = ()


class Storefront(Entry):
    """One seller's shop."""

    slug: str
    name: str
    currency: str
    time_zone: str
    language: Language
    #: The country of phone numbers without `+`.
    phone_region: str | None = None
    support: Support
    documents: Documents


class Catalogue:
    """All storefronts with what they sell at this moment. It stays the same until the moment `until`."""

    def __init__(self, shops: Shops, at: datetime) -> None:
        self.since = at
        self.until = min((moment for moment in _moments(shops) if moment > at), default=_EVER)
        self._shops = {slug: _storefront(shop, at) for slug, shop in shops.items()}
        self._offers = {(slug, plan.id): (plan, price) for slug in shops for plan, price in _sold(shops[slug], at)}

    @property
    def storefronts(self) -> tuple[Storefront, ...]:
        """All of them, by name."""
        return tuple(self._shops.values())

    def storefront(self, slug: str) -> Storefront | None:
        """The storefront of that name, or None."""
        return self._shops.get(slug)

    def offer(self, storefront: str, plan: str) -> tuple[Plan, Money] | None:
        """The plan and its price; None where that storefront does not sell it."""
        return self._offers.get((storefront, plan))

    def sold_by(self, storefront: str) -> list[tuple[Plan, Money]]:
        """All plans of a storefront with their prices, in the sequence of its file."""
        return [offer for (slug, _), offer in self._offers.items() if slug == storefront]


def _storefront(shop: Shop, at: datetime) -> Storefront:
    documents = in_force(shop.documents, at) or shop.documents[0]
    return Storefront(
        slug=shop.slug,
        name=shop.name,
        currency=shop.currency,
        time_zone=shop.time_zone,
        language=shop.language,
        phone_region=shop.phone_region,
        support=Support(email=shop.support.email, other=shop.support.channels),
        documents=Documents(offer=documents.offer, privacy=documents.privacy, refund=documents.refund),
    )


def _sold(shop: Shop, at: datetime) -> Iterator[tuple[Plan, Money]]:
    versions: dict[str, list[PlanVersion]] = {}
    for version in shop.plans:
        versions.setdefault(version.id, []).append(version)
    for found in versions.values():
        current = in_force(found, at)
        if current is not None and current.sold(at):
            yield current.plan, Money(amount=current.price, currency=shop.currency)


def _moments(shops: Shops) -> Iterator[datetime]:
    """Every moment at which something takes effect or ends."""
    for shop in shops.values():
        starts = (*(one.effective_from for one in shop.documents), *(plan.effective_from for plan in shop.plans))
        ends = (plan.effective_until for plan in shop.plans)
        yield from (moment for moment in (*starts, *ends) if moment is not None)
