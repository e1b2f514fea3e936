"""Profiles' lives, assembled: what they consume, perform and serve."""

from collections.abc import Sequence
from datetime import timedelta

from fastapi.params import Depends

from provisioning.births import Births
from provisioning.life import privacy, reports_api, views
from provisioning.life.asks import Asks
from provisioning.life.inquire import Inquire
from provisioning.life.lane import Deed, LifeLane
from provisioning.life.observing import Observing
from provisioning.life.revoke import Revoke
from provisioning.life.top_ups import TopUp, TopUpIntake
from provisioning.life.watch import Observe, Watch
from provisioning.operators import Operators
from provisioning.settings import Settings
from shared.contracts import (
    BuyerErasureRequested,
    CancellationAccepted,
    OrderPaid,
    RefundApproved,
    RefundRequested,
    RevocationRequested,
)
from shared.database import Tx
from shared.kernel.privacy import exports
from shared.kernel.service import Service
from shared.messaging.consumer import Handler, Received


def live(service: Service, settings: Settings, operators: Operators, births: Births, agent: Depends) -> Observing:
    """Let profiles live after their birth; returns what records observations, for adapters with webhooks of their own.

    `agent`: the dependency that admits agents.
    """
    database = service.database
    skew = timedelta(seconds=settings.clock_skew_seconds)
    observing = Observing(operators, skew, service.metrics.registry, births.early_expiries)
    asks = Asks(operators)
    births.listen(asks.born)
    service.consumes(
        {
            RefundRequested: asks.refund_requested,
            RefundApproved: asks.refund_approved,
            RevocationRequested: asks.revocation_requested,
            CancellationAccepted: asks.cancellation_accepted,
            BuyerErasureRequested: privacy.buyer_erasure_requested(),
        }
    )
    deeds: dict[str, Deed] = {
        "inquire": Inquire(operators, settings, database, observing),
        "revoke": Revoke(operators, database),
        "top_up": TopUp(operators, database, observing),
    }
    service.runs(Watch(operators, database, settings.watch_seconds).run)
    for name in operators.names:
        lane = LifeLane(operators.kind("life", name), settings.life_concurrency, deeds)
        service.performs(lane, Observe(operators, operators.kind("observe", name), settings, database, observing))
    reports = reports_api.Reports(settings, operators, database, observing)
    service.serves(
        reports_api.router(reports),
        views.router(database, operators, agent),
        exports(database, settings.privacy_key, privacy.HELD),
    )
    return observing


def by_kind(esims: Handler, settings: Settings, operators: Operators) -> Handler:
    """A handler of OrderPaid: eSIMs to be made go to `esims`, top-ups to the eSIM that they extend."""
    top_ups = TopUpIntake(settings, operators)

    async def order_paid(tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        new = [received for received in batch if received.event.kind == "esim"]
        more = [received for received in batch if received.event.kind == "top_up"]
        if new:
            await esims(tx, new)
        if more:
            await top_ups.order_paid(tx, more)

    return order_paid
