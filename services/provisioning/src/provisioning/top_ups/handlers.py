"""OrderPaid of kind `top_up`: it becomes a task at the operator of its eSIM, or fails at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from provisioning.clients.models import Statuses
from provisioning.lifecycle import store
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from provisioning.settings import Settings
from provisioning.tables import top_ups
from provisioning.top_ups import rules
from shared.contracts import OrderPaid, Plan, ProfileFailed
from shared.database import Tx
from shared.messaging.consumer import Received


class TopUpHandlers:
    """Applies OrderPaid of kind `top_up`."""

    def __init__(self, settings: Settings, operators: Operators) -> None:
        self._settings = settings
        self._operators = operators

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Each becomes due at the eSIM's operator, or fails at once where nothing can be topped up."""
        orders = {received.event.order_id: received for received in batch}
        lives = await store.issued_profiles_by_iccid(
            tx, (one.event.iccid for one in batch if one.event.iccid), lock=True
        )
        rows = {}
        for key in sorted(orders, key=lambda one: one.int):
            order = orders[key].event
            life = lives.get(order.iccid or "")
            rows[key] = self._row(tx, order, life, self._refusal(order, life))
        made = await tx.insert(
            top_ups, list(rows.values()), on_conflict="ON CONFLICT (order_id) DO NOTHING", returning="order_id"
        )
        for found in made:
            row, received = rows[found.order_id], orders[found.order_id]
            if row["state"] == "failed":
                tx.publish(failed_event(row, tx.now), trace=received.trace)
                continue
            payload = {"do": "top_up", "order_id": str(found.order_id)}
            kind = self._operators.kind("life", row["operator"])
            tx.schedule(kind, f"top_up:{found.order_id}", payload, trace=received.trace)

    def _refusal(self, order: OrderPaid, life: IssuedProfile | None) -> str | None:
        if life is None:
            return rules.UNKNOWN
        if life.storefront != order.storefront:
            return rules.FOREIGN
        if why := life.ended():
            return rules.ended(why)
        if not rules.fits(life.plan, order.plan):
            return rules.OTHER_PLAN
        offered = life.operator in self._operators and self._operators[life.operator].traits.tops_up
        return None if offered else rules.NOT_OFFERED

    def _row(self, tx: Tx, order: OrderPaid, life: IssuedProfile | None, refusal: str | None) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "order_number": order.order_number,
            "storefront": order.storefront,
            "buyer_id": order.buyer_id,
            "plan": order.plan.model_dump(mode="json"),
            "iccid": order.iccid,
            "esim_order_id": life.order_id if life and refusal != rules.FOREIGN else None,
            "operator": life.operator if life else self._operators.names[0],
            "state": "failed" if refusal else "due",
            "reason": refusal,
            "statuses": [],
            "paid_at": order.paid_at,
            "deadline": order.paid_at + timedelta(seconds=self._settings.deadline_seconds(order.storefront)),
            "created_at": tx.now,
            "settled_at": tx.now if refusal else None,
        }


def failed_event(row: dict[str, Any], now: datetime, statuses: Statuses = ()) -> ProfileFailed:
    return ProfileFailed(
        order_id=row["order_id"],
        order_number=row["order_number"],
        storefront=row["storefront"],
        buyer_id=row["buyer_id"],
        plan=Plan.model_validate(row["plan"]),
        operator=row["operator"],
        statuses=tuple(statuses),
        reason=row["reason"],
        paid_at=row["paid_at"],
        failed_at=now,
        kind="top_up",
        iccid=row["iccid"],
    )
