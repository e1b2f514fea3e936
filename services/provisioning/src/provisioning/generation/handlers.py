"""Paid orders in: each is given a profile from stock, or an identity at its operator, and the call becomes due."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from provisioning.generation.publishing import GeneratedProfile, ProfilePublisher
from provisioning.operators.identities import new_identities
from provisioning.operators.registry import Operators
from provisioning.operators.rules.routing import Offer
from provisioning.settings import Settings
from provisioning.stock.store import Stock, Taken
from provisioning.tables import profiles
from shared.contracts import OrderPaid
from shared.database import Tx
from shared.messaging.consumer import Received

_ONE_EACH = "ON CONFLICT (order_id) DO NOTHING"
Orders = dict[UUID, Received[OrderPaid]]


class GenerationHandlers:
    """Applies OrderPaid of kind `esim`."""

    def __init__(self, settings: Settings, operators: Operators, stock: Stock, publisher: ProfilePublisher) -> None:
        self._settings = settings
        self._operators = operators
        self._stock = stock
        self._publisher = publisher

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """One profile row per order; it is settled from stock, or the job `provision` is due for it.

        Orders of eSIMs only: a top-up (life/top_ups.py) must never become a second eSIM.
        """
        await self._order(tx, {received.event.order_id: received for received in batch})

    async def _order(self, tx: Tx, orders: Orders) -> None:
        offers = {
            key: self._operators.offers(received.event.storefront, received.event.plan.profile_type)
            for key, received in orders.items()
        }
        keys = sorted(orders)
        identities = await new_identities(tx, self._operators, [offers[key][0].operator for key in keys])
        rows = {
            key: self._row(tx, orders[key].event, offers[key][0]) | {"iccid": iccid, "matching_id": matching_id}
            for key, (iccid, matching_id) in zip(keys, identities, strict=True)
        }
        made = await tx.insert(profiles, list(rows.values()), on_conflict=_ONE_EACH, returning="order_id")
        fresh = [found.order_id for found in made]
        taken = await self._stock.take(tx, {key: offers[key] for key in fresh}) if self._stock else {}
        for key in fresh:
            if key not in taken:
                self._schedule(tx, rows[key], orders[key].trace)
        await self._publisher.tell(tx, [self._born(tx, orders[key], one) for key, one in taken.items()])

    def _schedule(self, tx: Tx, row: dict[str, Any], trace: str | None) -> None:
        payload = {
            name: row[name]
            for name in ("order_number", "storefront", "plan", "operator", "profile_type", "iccid", "matching_id")
        } | {
            "buyer_id": str(row["buyer_id"]),
            "paid_at": row["paid_at"].isoformat(),
            "deadline": row["deadline"].isoformat(),
        }
        tx.schedule(self._operators.kind("provision", row["operator"]), str(row["order_id"]), payload, trace=trace)

    def _born(self, tx: Tx, received: Received[OrderPaid], taken: Taken) -> GeneratedProfile:
        order = received.event
        return GeneratedProfile(
            order_id=order.order_id,
            order_number=order.order_number,
            storefront=order.storefront,
            buyer_id=order.buyer_id,
            plan=order.plan,
            operator=taken.offer.operator,
            profile_type=taken.offer.profile_type,
            iccid=taken.iccid,
            paid_at=order.paid_at,
            generated_at=tx.now,
            valid_until=self._publisher.valid_until(
                order.storefront, order.paid_at, taken.offer.operator, taken.made_at or tx.now
            ),
            made=taken.made,
            trace=received.trace,
        )

    def _row(self, tx: Tx, order: OrderPaid, offer: Offer) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "order_number": order.order_number,
            "storefront": order.storefront,
            "buyer_id": order.buyer_id,
            "plan": order.plan.model_dump(mode="json"),
            "profile_type": offer.profile_type,
            "operator": offer.operator,
            "paid_at": order.paid_at,
            "deadline": order.paid_at + timedelta(seconds=self._settings.deadline_seconds(order.storefront)),
            "created_at": tx.now,
        }
