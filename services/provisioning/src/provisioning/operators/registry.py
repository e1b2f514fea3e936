"""The operators of this service by name, and the routes to them. A new client: one line in `_CLIENTS`."""

from collections.abc import Callable, Mapping

from provisioning.clients.airalo.client import AiraloOperator
from provisioning.clients.context import ClientContext
from provisioning.clients.es2plus.client import Es2PlusOperator
from provisioning.clients.http_calls import calls_counter
from provisioning.clients.instant import InstantOperator
from provisioning.clients.models import OperatorClient
from provisioning.clients.unparsed_fields import UnparsedFields
from provisioning.operators.guarded import GuardedOperator, OperatorMetrics
from provisioning.operators.rate_limit import RateLimit
from provisioning.operators.routes_in_force import RoutesInForce
from provisioning.operators.rules.routing import Offer
from provisioning.settings import OperatorSettings, Settings
from shared.kernel.service import Service
from shared.shops.files import ShopFiles

_CLIENTS: dict[str, Callable[[OperatorSettings, ClientContext], OperatorClient]] = {
    "es2plus": Es2PlusOperator,
    "airalo": AiraloOperator,
    "instant": lambda settings, _context: InstantOperator(settings.name),
}


class Operators:
    """All operators. Each has task queues of its own, so that an unavailable operator delays only its own tasks."""

    def __init__(
        self,
        settings: list[OperatorSettings],
        operators: Mapping[str, GuardedOperator],
        routes: RoutesInForce,
        unparsed_fields: UnparsedFields,
        identity_key: bytes,
    ) -> None:
        #: Makes matching ids (`rules.identifiers`).
        self.identity_key = identity_key
        self.unparsed_fields = unparsed_fields
        self.settings = {one.name: one for one in settings}
        self._operators = dict(operators)
        self._routes = routes
        self._first = settings[0].name

    def __getitem__(self, name: str) -> GuardedOperator:
        """Raises KeyError where no such operator is configured (any more)."""
        return self._operators[name]

    def __contains__(self, name: object) -> bool:
        return name in self._operators

    @property
    def shops(self) -> ShopFiles:
        """The shops that these operators serve."""
        return self._routes.shops

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._operators)

    def offers(self, storefront: str, profile_type: str) -> tuple[Offer, ...]:
        """The operators that sell this plan to that storefront, best first."""
        return self._routes().offers(storefront, profile_type)

    def kind(self, task: str, operator: str) -> str:
        """The kind of this task at this operator: `provision`, and `provision:<name>` for all but the first operator.

        Tasks of an older release, and of an operator that is not configured any more, have the first one's kind.
        """
        return task if operator == self._first or operator not in self._operators else f"{task}:{operator}"

    def reports_usage(self, name: str) -> bool:
        """Whether this operator is configured and reports usage on request."""
        return name in self._operators and self._operators[name].traits.reports_usage

    async def close(self) -> None:
        """Close the connections of all operators."""
        for operator in self._operators.values():
            await operator.close()


def build_operators(settings: Settings, service: Service) -> Operators:
    """Build the operators from the settings, and the routes to them from the shops' folder.

    Raises ValueError where they cannot work, and ShopsError where the folder is refused.
    """
    registry = service.metrics.registry
    unparsed_fields = UnparsedFields(registry)
    context = ClientContext(service.tracing, calls_counter(registry), service.clock, service.database, unparsed_fields)
    chosen = settings.all_operators()
    metrics = OperatorMetrics(registry)
    operators = {}
    for one in chosen:
        rate = RateLimit(service.database, one.name, one.rate_per_minute) if one.rate_per_minute else None
        client = _client(one.adapter)(one, context)
        operators[one.name] = GuardedOperator(client, one, rate, metrics, service.clock)
    routes = RoutesInForce(settings, operators, chosen[0].name)
    identity_key = settings.seal_private_key.get_secret_value().encode()
    return Operators(chosen, operators, routes, unparsed_fields, identity_key)


def _client(name: str) -> Callable[[OperatorSettings, ClientContext], OperatorClient]:
    try:
        return _CLIENTS[name]
    except KeyError:
        raise ValueError(f"unknown adapter {name}; there are {', '.join(sorted(_CLIENTS))}") from None
