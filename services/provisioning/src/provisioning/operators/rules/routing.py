"""Routes orders: by storefront and plan, the operators that sell an equivalent plan, in order of preference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Stands for every storefront, or every plan.
ANY = "*"


@dataclass(frozen=True, slots=True)
class Offer:
    """An operator, and its own name of the plan (profile type, package id)."""

    operator: str
    profile_type: str


Table = Mapping[str, Mapping[str, Sequence[tuple[str, str | None]]]]


class Routes:
    """`{storefront: {profile type of the plan: [(operator, its own profile type)]}}`, either key may be `*`.

    The most particular entry wins: storefront and plan, storefront, plan, everything; else the first operator sells the
    plan under its own name. An operator's own profile type may be None: the same as the plan's.
    """

    def __init__(self, table: Table, default: str) -> None:
        self._table = table
        self._default = default

    def offers(self, storefront: str, profile_type: str) -> tuple[Offer, ...]:
        """The operators to try, in this order; never empty."""
        for shop, plan in ((storefront, profile_type), (storefront, ANY), (ANY, profile_type), (ANY, ANY)):
            listed = self._table.get(shop, {}).get(plan)
            if listed:
                return tuple(Offer(operator, own or profile_type) for operator, own in listed)
        return (Offer(self._default, profile_type),)

    def storefronts(self, operator: str) -> frozenset[str]:
        """The storefronts whose buyers this operator may serve; `*` where that may be any."""
        storefronts = {
            shop
            for shop, plans in self._table.items()
            for listed in plans.values()
            if any(name == operator for name, _ in listed)
        }
        return frozenset(storefronts | ({ANY} if operator == self._default else set()))
