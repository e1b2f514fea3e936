"""Provisioning, assembled."""

from provisioning.api import router
from provisioning.consumers import Intake
from provisioning.operators import build_operators
from provisioning.settings import Settings
from provisioning.work import Provision, Withdraw
from shared.clock import Clock
from shared.contracts import OrderPaid
from shared.kernel.auth import StorefrontKeys
from shared.kernel.service import Service
from shared.sealed import Sealer


def build(settings: Settings, *, clock: Clock | None = None) -> Service:
    """The service with its consumers, jobs and HTTP interface."""
    service = Service("provisioning", settings, clock=clock)
    operators = build_operators(settings, service)
    service.closes(operators.close)
    operator = operators[operators.names[0]]
    sealer = Sealer("notifications", settings.notifications_seal_public_key)
    agents = StorefrontKeys({name: key.get_secret_value() for name, key in settings.agent_keys.items()})
    service.consumes({OrderPaid: Intake(settings, operator.name).order_paid})
    service.performs(
        Provision(settings, operator, sealer, service.database, service.metrics.registry), Withdraw(operator)
    )
    service.serves(router(service.database, agents))
    return service
