"""What provisioning says of the eSIMs that were sold: told in the timeline, and known when one is to be topped up."""

from collections.abc import Callable, Sequence
from typing import Any

from ordering.intake.store import record_earliest
from ordering.tables import esims
from ordering.timeline.rules.sentences import Known
from ordering.timeline.rules.status import Fact
from shared.contracts import ProfileExpired, ProfileGenerated, ProfileObserved, ProfileRevoked
from shared.database import Tx
from shared.messaging.consumer import Handler, Received

#: Columns of `esims` that one fact sets; None where it says nothing about them.
_Columns = dict[str, Any]


def esim_sold(event: ProfileGenerated) -> _Columns:
    """Whose it is, and what can be added to it."""
    plan = event.plan.model_dump(mode="json")
    return {"iccid": event.iccid, "order_id": event.order_id, "storefront": event.storefront, "plan": plan}


def esim_revoked(event: ProfileRevoked) -> _Columns:
    """It ended."""
    return {"iccid": event.iccid, "revoked_at": event.revoked_at}


def esim_expired(event: ProfileExpired) -> _Columns:
    """It ended."""
    return {"iccid": event.iccid, "expired_at": event.expired_at}


def esim_observed(event: ProfileObserved) -> _Columns | None:
    """It ended, if it was deleted from its device."""
    return {"iccid": event.iccid, "deleted_at": event.deleted_at} if event.deleted_at else None


def of_esims(handler: Handler, columns: Callable[[Any], _Columns | None]) -> Handler:
    """The handler, and what its facts say about eSIMs: the first telling of each column stays."""

    async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
        await handler(tx, batch)
        rows = [row for received in batch if (row := columns(received.event)) is not None]
        await tx.record_facts(esims, "iccid", rows)

    return handle


async def profile_observed(tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
    """Installed, activated, deleted: each since the earliest time that is known by now."""
    told = []
    for received in batch:
        event = received.event
        for fact, at in (
            (Fact.PROFILE_INSTALLED, event.installed_at),
            (Fact.PROFILE_ACTIVATED, event.activated_at),
            (Fact.PROFILE_DELETED, event.deleted_at),
        ):
            if at is not None:
                told.append((event.order_id, Known(fact, at, trace=received.trace)))
    await record_earliest(tx, told)
