"""Provisioning, assembled."""

from fastapi import Depends

from provisioning import airalo_webhook
from provisioning.agents import agent_only
from provisioning.api import router
from provisioning.births import Births
from provisioning.consumers import Intake
from provisioning.early_expiry import EarlyExpiries
from provisioning.life.wiring import by_kind, live
from provisioning.operators import Operators, build_operators
from provisioning.settings import Settings
from provisioning.stock import Stock
from provisioning.work.adopt import Adoption
from provisioning.work.provision import Provision, outcomes_counter
from provisioning.work.stock import Refill, StockOrder, stock_level
from provisioning.work.withdraw import Withdraw
from shared.clock import Clock
from shared.contracts import OrderPaid
from shared.kernel.auth import ApiKeys
from shared.kernel.service import Service
from shared.sealed import Sealer


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service with its consumers, jobs and HTTP interface."""
    service = Service("provisioning", settings, clock=clock)
    operators = build_operators(settings, service)
    service.closes(operators.close)
    sealer = Sealer("notifications", settings.notifications_seal_public_key)
    births = Births(settings, sealer, EarlyExpiries(service.metrics.registry))
    agents = ApiKeys(settings.agent_keys, asked="agent key", problem="unknown-agent-key")
    intake = Intake(settings, operators, Stock(settings.stock), births)
    service.consumes({OrderPaid: by_kind(intake.order_paid, settings, operators)})
    live(service, settings, operators, births, Depends(agent_only(agents)))
    _make(service, settings, operators, births)
    service.serves(
        router(service.database, agents, operators, settings.stock),
        airalo_webhook.router(service.database, operators.settings, operators.not_understood),
    )
    return service


def _make(service: Service, settings: Settings, operators: Operators, births: Births) -> None:
    """The making of profiles: lanes for each operator, and the stock."""
    database = service.database
    outcomes = outcomes_counter(service.metrics.registry)
    for name in operators.names:
        service.performs(
            Provision(settings, operators, name, births, database, outcomes),
            Withdraw(operators, name, service.clock),
        )
    service.runs(Adoption(operators, database).run)
    for name in sorted({pool.operator for pool in settings.stock}):
        service.performs(StockOrder(settings.stock, operators, name, database))
    if settings.stock:
        refill = Refill(settings.stock, operators, database, stock_level(service.metrics.registry))
        service.performs(refill)
        service.runs(refill.run)
