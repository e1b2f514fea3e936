"""HTTP answer about a shop."""

from typing import Self

from pydantic import BaseModel

from ordering.catalogue.models import Catalogue, Documents, Storefront, Support
from shared.contracts import Language, Money, Plan


class PlanView(BaseModel):
    """A plan and what it costs here."""

    plan: Plan
    price: Money


class PlanList(BaseModel):
    """The plans of a shop, in the sequence of its catalogue."""

    plans: list[PlanView]

    @classmethod
    def of(cls, storefront: Storefront, catalogue: Catalogue) -> Self:
        """The plans that the current catalogue has."""
        return cls(plans=[PlanView(plan=plan, price=price) for plan, price in catalogue.sold_by(storefront.slug)])


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
    def of(cls, storefront: Storefront, catalogue: Catalogue) -> Self:
        """The shop as the current catalogue has it."""
        plans = PlanList.of(storefront, catalogue).plans
        return cls(**storefront.model_dump(exclude={"phone_region"}), plans=plans)
