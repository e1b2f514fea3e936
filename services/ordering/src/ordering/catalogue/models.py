"""The catalogue: storefronts, their documents in force, and plans with a price in each storefront that sells them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from shared.contracts import Language, Money, Plan
from shared.contracts.base import Currency, Slug

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=40)]
#: A country (ISO 3166-1 alpha-2) or the slug of a region, such as `europe`.
Place = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|[a-z]{3,}(-[a-z]+)*)$")]


class CatalogueError(Exception):
    """The files are not a valid catalogue; the message names the entry and the reason."""


class Entry(BaseModel):
    """Part of a catalogue file. Unknown fields are refused, because they are usually typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("is not a time zone of the IANA database") from None
    return name


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

    slug: Slug
    name: Line
    currency: Currency
    time_zone: Annotated[str, AfterValidator(_time_zone)]
    language: Language
    #: The country of phone numbers without `+`.
    phone_region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    support: Support
    documents: Documents


class PlanEntry(Entry):
    """A plan in a catalogue file; prices in minor units of each storefront's currency."""

    id: Slug
    title: Line
    coverage: tuple[Place, ...] = Field(min_length=1)
    data_mb: int = Field(gt=0)
    validity_days: int = Field(gt=0)
    profile_type: Line
    prices: dict[Slug, Annotated[int, Field(gt=0)]] = Field(min_length=1)


class Catalogue(Entry):
    """All plans, and the storefronts that sell them."""

    storefronts: tuple[Storefront, ...] = Field(min_length=1)
    plans: tuple[PlanEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees(self) -> "Catalogue":
        slugs = [shop.slug for shop in self.storefronts]
        for what, ids in (("storefront", slugs), ("plan", [plan.id for plan in self.plans])):
            if twice := sorted({identifier for identifier in ids if ids.count(identifier) > 1}):
                raise ValueError(f"{what} {', '.join(twice)} is there twice")
        for plan in self.plans:
            if unknown := sorted(plan.prices.keys() - set(slugs)):
                raise ValueError(f"plan {plan.id} has a price for unknown storefront {', '.join(unknown)}")
        return self

    @cached_property
    def _shops(self) -> dict[str, Storefront]:
        return {shop.slug: shop for shop in self.storefronts}

    @cached_property
    def _offers(self) -> dict[tuple[str, str], tuple[Plan, Money]]:
        return {
            (slug, entry.id): (
                Plan.model_validate(entry.model_dump(exclude={"prices"})),
                Money(amount=amount, currency=self._shops[slug].currency),
            )
            for entry in self.plans
            for slug, amount in entry.prices.items()
        }

    def storefront(self, slug: str) -> Storefront | None:
        """The storefront of that name, or None."""
        return self._shops.get(slug)

    def offer(self, storefront: str, plan: str) -> tuple[Plan, Money] | None:
        """The plan and its price; None where that storefront does not sell it."""
        return self._offers.get((storefront, plan))

    def sold_by(self, storefront: str) -> list[tuple[Plan, Money]]:
        """All plans of a storefront with their prices, in the sequence of the files."""
        return [offer for (slug, _), offer in self._offers.items() if slug == storefront]


def catalogue_of(storefronts: Sequence[Mapping[str, Any]], plans: Sequence[Mapping[str, Any]]) -> Catalogue:
    """Build a catalogue from the entries of all files. Raises CatalogueError."""
    try:
        return Catalogue.model_validate({"storefronts": storefronts, "plans": plans})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        reasons = [f"{'.'.join(map(str, item['loc'])) or 'catalogue'}: {item['msg']}" for item in faults[:5]]
        raise CatalogueError("; ".join(reasons)) from None
