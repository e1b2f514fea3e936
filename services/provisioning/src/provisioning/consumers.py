"""Paid orders in: each gets its ICCID and matching id, stored before any call, and the call becomes due."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from provisioning.domain.identifiers import iccid, new_matching_id
from provisioning.settings import Settings
from provisioning.tables import profiles
from shared.contracts import OrderPaid, ProfileFailed
from shared.database import Tx
from shared.messaging.consumer import Received

_NO_TOP_UPS = "Top-ups are not offered yet."
_ONE_EACH = "ON CONFLICT (order_id) DO NOTHING"
_SERIALS = "SELECT nextval('iccid_serial') FROM generate_series(1, CAST(:count AS int))"


class Intake:
    """Applies OrderPaid; the only fact this service waits for."""

    def __init__(self, settings: Settings, operator: str) -> None:
        self._settings = settings
        self._operator = operator

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """One profile row per order, and the job `provision` for each row that is new."""
        orders = {received.event.order_id: received for received in batch}
        esims = {key: received for key, received in orders.items() if received.event.kind == "esim"}
        top_ups = {key: received for key, received in orders.items() if received.event.kind != "esim"}
        if esims:
            await self._order(tx, esims)
        if top_ups:
            await self._refuse(tx, top_ups)

    async def _order(self, tx: Tx, orders: dict[Any, Received[OrderPaid]]) -> None:
        serials = (await tx.execute(_SERIALS, count=len(orders))).scalars()
        rows = {
            key: self._row(tx, orders[key].event)
            | {"iccid": iccid(self._settings.iccid_prefix, serial), "matching_id": new_matching_id()}
            for key, serial in zip(sorted(orders), serials, strict=True)
        }
        made = await tx.insert(profiles, list(rows.values()), on_conflict=_ONE_EACH, returning="order_id")
        for found in made:
            row = rows[found.order_id]
            payload = {name: row[name] for name in ("order_number", "storefront", "plan", "iccid", "matching_id")} | {
                "buyer_id": str(row["buyer_id"]),
                "paid_at": row["paid_at"].isoformat(),
                "deadline": row["deadline"].isoformat(),
            }
            tx.schedule("provision", str(found.order_id), payload, trace=orders[found.order_id].trace)

    async def _refuse(self, tx: Tx, orders: dict[Any, Received[OrderPaid]]) -> None:
        """A top-up must never become a second eSIM; the failure returns the money."""
        rows = [
            self._row(tx, orders[key].event) | {"state": "failed", "reason": _NO_TOP_UPS, "settled_at": tx.now}
            for key in sorted(orders)
        ]
        made = await tx.insert(profiles, rows, on_conflict=_ONE_EACH, returning="order_id")
        for found in made:
            received = orders[found.order_id]
            order = received.event
            failed = ProfileFailed(
                order_id=order.order_id,
                order_number=order.order_number,
                storefront=order.storefront,
                buyer_id=order.buyer_id,
                plan=order.plan,
                operator=self._operator,
                reason=_NO_TOP_UPS,
                paid_at=order.paid_at,
                failed_at=tx.now,
            )
            tx.publish(failed, trace=received.trace)

    def _row(self, tx: Tx, order: OrderPaid) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "order_number": order.order_number,
            "storefront": order.storefront,
            "buyer_id": order.buyer_id,
            "plan": order.plan.model_dump(mode="json"),
            "profile_type": order.plan.profile_type,
            "operator": self._operator,
            "paid_at": order.paid_at,
            "deadline": order.paid_at + timedelta(seconds=self._settings.deadline_seconds(order.storefront)),
            "created_at": tx.now,
        }
