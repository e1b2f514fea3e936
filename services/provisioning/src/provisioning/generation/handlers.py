"""Handles OrderPaid of kind `esim`: a profile from stock at once, or a task `provision` at the first operator."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from provisioning.generation import store
from provisioning.generation.models import GeneratedProfile, ProvisionPayload, paid_order_fields
from provisioning.generation.publishing import ProfilePublisher
from provisioning.operators import Operators, new_identities
from provisioning.operators.models import Identity
from provisioning.operators.rules.routing import Offer
from provisioning.shop_terms import ShopTerms
from provisioning.stock import Stock
from provisioning.stock.models import TakenProfile
from shared.contracts import OrderPaid
from shared.database import Json, Tx
from shared.messaging.consumer import Received


class GenerationHandlers:
    """Handlers of events about orders of eSIMs."""

    def __init__(self, terms: ShopTerms, operators: Operators, stock: Stock, publisher: ProfilePublisher) -> None:
        self._terms = terms
        self._operators = operators
        self._stock = stock
        self._publisher = publisher

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """One row per order, with its identity at its first operator; then the stock or the operator serves it.

        Orders of eSIMs only: a top-up (feature top_ups) must never become a second eSIM.
        """
        orders = {received.event.order_id: received for received in batch}
        keys = sorted(orders)
        offers = {
            key: self._operators.offers(orders[key].event.storefront, orders[key].event.plan.profile_type)
            for key in keys
        }
        identities = await new_identities(tx, self._operators, [offers[key][0].operator for key in keys])
        identity_of = dict(zip(keys, identities, strict=True))
        new = await store.add(tx, [self._row(tx, orders[key].event, offers[key][0], identity_of[key]) for key in keys])
        taken = await self._stock.take(tx, {key: offers[key] for key in new}) if self._stock else {}
        for key in new:
            if key not in taken:
                self._schedule(tx, orders[key], offers[key][0], identity_of[key])
        await self._publisher.publish(tx, [self._generated(tx, orders[key], profile) for key, profile in taken.items()])

    def _schedule(self, tx: Tx, received: Received[OrderPaid], offer: Offer, identity: Identity) -> None:
        order = received.event
        payload = ProvisionPayload(
            order_number=order.order_number,
            storefront=order.storefront,
            plan=order.plan,
            operator=offer.operator,
            profile_type=offer.profile_type,
            iccid=identity.iccid,
            matching_id=identity.matching_id,
            buyer_id=order.buyer_id,
            paid_at=order.paid_at,
            deadline=self._deadline(order),
        )
        kind = self._operators.kind("provision", offer.operator)
        tx.schedule(kind, str(order.order_id), payload, trace=received.trace)

    def _generated(self, tx: Tx, received: Received[OrderPaid], taken: TakenProfile) -> GeneratedProfile:
        order, operator = received.event, taken.offer.operator
        return GeneratedProfile(
            order=paid_order_fields(order),
            operator=operator,
            profile_type=taken.offer.profile_type,
            iccid=taken.iccid,
            generated_at=tx.now,
            valid_until=self._publisher.valid_until(order.storefront, order.paid_at, operator, taken.made_at or tx.now),
            profile=taken.profile,
            trace=received.trace,
        )

    def _row(self, tx: Tx, order: OrderPaid, offer: Offer, identity: Identity) -> dict[str, Any]:
        return {
            **paid_order_fields(order),
            "plan": Json(order.plan.model_dump_json()),
            "profile_type": offer.profile_type,
            "operator": offer.operator,
            "iccid": identity.iccid,
            "matching_id": identity.matching_id,
            "deadline": self._deadline(order),
            "created_at": tx.now,
        }

    def _deadline(self, order: OrderPaid) -> datetime:
        return order.paid_at + self._terms.deadline(order.storefront)
