"""HTTP answer about a shop."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints

from ordering.catalogue.models import Catalogue
from shared.contracts import Language, Money, Plan
from shared.shops.models import Shop

Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class PlanView(BaseModel):
    """A plan and what it costs here."""

    plan: Plan
    price: Money


class PlanList(BaseModel):
    """The plans of a shop, in the sequence of its catalogue."""

    plans: list[PlanView]

    @classmethod
    def of(cls, storefront: Shop, catalogue: Catalogue) -> Self:
        """The plans that the current catalogue has."""
        return cls(plans=[PlanView(plan=plan, price=price) for plan, price in catalogue.sold_by(storefront.slug)])


class Support(BaseModel):
    """Where buyers ask for help."""

    model_config = ConfigDict(extra="forbid")

    email: Line
    other: tuple[Line, ...] = ()


class Documents(BaseModel):
    """The versions in force: what a buyer accepts now, and what decides about a refund of an order that is paid now."""

    model_config = ConfigDict(extra="forbid")

    offer: Version
    privacy: Version
    refund: Version


class StorefrontView(BaseModel):
    """A shop: what it sells, and the document versions that orders must name."""

    slug: str
    name: str
    currency: str
    time_zone: str
    language: Language
    support: Support
    documents: Documents
    plans: list[PlanView]

    @classmethod
    def of(cls, storefront: Shop, catalogue: Catalogue) -> Self:
        """The shop as the current catalogue has it."""
        documents = catalogue.documents(storefront.slug)
        return cls(
            slug=storefront.slug,
            name=storefront.name,
            currency=storefront.currency,
            time_zone=storefront.time_zone,
            language=storefront.language,
            support=Support(email=storefront.support.email, other=storefront.support.channels),
            documents=Documents(offer=documents.offer, privacy=documents.privacy, refund=documents.refund),
            plans=PlanList.of(storefront, catalogue).plans,
        )
