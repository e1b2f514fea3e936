"""The routes in force: those of each shop's folder, and the setting ROUTES for all shops.

A folder that routes to an operator that is not configured, or that would learn what the shop does not allow (PP 5.2),
is refused like any other broken folder.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from provisioning.clients.models import OperatorClient
from provisioning.operators.rules.routing import ANY, Routes
from provisioning.settings import Settings
from shared.shops.faults import Fault
from shared.shops.files import ShopFiles
from shared.shops.models import RouteOffer
from shared.shops.reading import Shops


class RoutesInForce:
    """Routes, made anew when the shops have changed. Raises ShopsError when there are no good shops at the start."""

    def __init__(self, settings: Settings, operators: Mapping[str, OperatorClient], default: str) -> None:
        self._settings = settings
        self._operators = operators
        self._default = default
        self.shops = ShopFiles.of(settings, [self._faults])
        self._made_of = self.shops.current()
        self._routes = self._routes_of(self._made_of)

    def __call__(self) -> Routes:
        shops = self.shops.current()
        if shops is not self._made_of:
            self._made_of, self._routes = shops, self._routes_of(shops)
        return self._routes

    def _routes_of(self, shops: Shops) -> Routes:
        own = {slug: {plan: _pairs(offers) for plan, offers in shop.routes.items()} for slug, shop in shops.items()}
        for slug, plans in self._settings.route_table().items():
            own[slug] = own.get(slug, {}) | plans
        return Routes(own, self._default)

    def _faults(self, shops: Shops) -> Iterator[Fault]:
        for slug, shop in shops.items():
            named = {offer.operator for offers in shop.routes.values() for offer in offers}
            for name in sorted(named - self._operators.keys()):
                yield Fault(f"{slug}/shop.toml", "routes", f"{name} is not an operator of this deployment (OPERATORS)")
        routes = self._routes_of(shops)
        for name, operator in self._operators.items():
            yield from self._not_allowed(operator, routes.storefronts(name), shops)

    def _not_allowed(self, operator: OperatorClient, storefronts: Iterable[str], shops: Shops) -> Iterator[Fault]:
        """PP 5.2: an operator gets only the personal data that activation needs and the storefront allows."""
        for storefront in sorted(storefronts):
            missing = operator.traits.personal_fields - set(self._allowed(storefront, shops))
            if missing:
                fields = ", ".join(sorted(missing))
                reason = f"operator {operator.name} needs {fields}, which storefront {storefront} does not allow"
                if storefront in shops:
                    yield Fault(f"{storefront}/shop.toml", "personal_data_for_operators", reason)
                else:
                    yield Fault("ALLOWED_PERSONAL_FIELDS", "", reason)

    def _allowed(self, storefront: str, shops: Shops) -> Sequence[str]:
        allowed = self._settings.allowed_personal_fields
        own = shops[storefront].personal_data_for_operators if storefront in shops else None
        if storefront in allowed:
            return allowed[storefront]
        return own if own is not None else allowed.get(ANY, [])


def _pairs(offers: Iterable[RouteOffer]) -> list[tuple[str, str | None]]:
    return [(offer.operator, offer.profile_type) for offer in offers]
