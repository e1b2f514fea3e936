"""Handles OrderPaid of kind `top_up`: a task at the operator of its eSIM, or a failure at once."""

from collections.abc import Sequence
from datetime import datetime

from provisioning.clients.models import Statuses
from provisioning.lifecycle import issued_profiles_by_iccid
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.operators import Operators
from provisioning.shop_terms import ShopTerms
from provisioning.top_ups import rules, store
from provisioning.top_ups.models import TopUpRow
from shared.contracts import OrderPaid, ProfileFailed, order_fields
from shared.database import Tx
from shared.messaging.consumer import Received


class TopUpHandlers:
    """Handlers of events about top-ups."""

    def __init__(self, terms: ShopTerms, operators: Operators) -> None:
        self._terms = terms
        self._operators = operators

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Schedule each top-up at the operator of its eSIM, or fail it where nothing can be topped up."""
        orders = {received.event.order_id: received for received in batch}
        iccids = (received.event.iccid for received in batch if received.event.iccid)
        esims = await issued_profiles_by_iccid(tx, iccids, lock=True)
        rows = {}
        for order_id in sorted(orders, key=lambda order_id: order_id.int):
            order = orders[order_id].event
            esim = esims.get(order.iccid or "")
            rows[order_id] = self._row(order, esim, self._refusal(order, esim))
        for order_id in await store.add(tx, list(rows.values())):
            row, trace = rows[order_id], orders[order_id].trace
            if row.state == "failed":
                tx.publish(failed_event(row, row.reason or "", tx.now), trace=trace)
                continue
            payload = LifecyclePayload(do="top_up", order_id=order_id)
            tx.schedule(self._operators.kind("life", row.operator), f"top_up:{order_id}", payload, trace=trace)

    def _refusal(self, order: OrderPaid, esim: IssuedProfile | None) -> str | None:
        """Why nothing can be topped up (RC 4), if so."""
        if esim is None:
            return rules.UNKNOWN
        if esim.storefront != order.storefront:
            return rules.FOREIGN
        if why := esim.ended():
            return rules.ended(why)
        if not rules.fits(esim.plan, order.plan):
            return rules.OTHER_PLAN
        offered = esim.operator in self._operators and self._operators[esim.operator].traits.tops_up
        return None if offered else rules.NOT_OFFERED

    def _row(self, order: OrderPaid, esim: IssuedProfile | None, refusal: str | None) -> TopUpRow:
        return TopUpRow(
            **order_fields(order),
            plan=order.plan,
            iccid=order.iccid,
            esim_order_id=esim.order_id if esim and refusal != rules.FOREIGN else None,
            operator=esim.operator if esim else self._operators.names[0],
            state="failed" if refusal else "due",
            reason=refusal,
            paid_at=order.paid_at,
            deadline=order.paid_at + self._terms.deadline(order.storefront),
        )


def failed_event(row: TopUpRow, reason: str, now: datetime, statuses: Statuses = ()) -> ProfileFailed:
    """The event of a top-up that was not applied; its money goes back."""
    return ProfileFailed(
        **order_fields(row),
        plan=row.plan,
        operator=row.operator,
        statuses=statuses,
        reason=reason,
        paid_at=row.paid_at,
        failed_at=now,
        kind="top_up",
        iccid=row.iccid,
    )
