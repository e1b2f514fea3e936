"""Provisioning, assembled."""

from provisioning.adapters.es2plus import Es2PlusOperator
from provisioning.adapters.instant import InstantOperator
from provisioning.api import router
from provisioning.consumers import Intake
from provisioning.domain.operator import Operator
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
    operator = _operator(settings, service)
    service.closes(operator.close)
    sealer = Sealer("notifications", settings.notifications_seal_public_key)
    agents = StorefrontKeys({name: key.get_secret_value() for name, key in settings.agent_keys.items()})
    service.consumes({OrderPaid: Intake(settings, operator.name).order_paid})
    service.performs(
        Provision(settings, operator, sealer, service.database, service.metrics.registry), Withdraw(operator)
    )
    service.serves(router(service.database, agents))
    return service


def _operator(settings: Settings, service: Service) -> Operator:
    if settings.operator_adapter == "instant" or settings.operator_url is None:
        return InstantOperator()
    return Es2PlusOperator(
        settings.operator_name,
        settings.operator_url,
        service.tracing,
        service.metrics.registry,
        requester=settings.function_requester_id,
        timeout_seconds=settings.operator_timeout_seconds,
        connections=settings.operator_concurrency,
        smdp_address=settings.smdp_address,
    )
