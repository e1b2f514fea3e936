"""Everything that is known of an order and its buyer: read from the service that owns each part, all at once."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from refunds.agent_pages.models import (
    Attempts,
    FoundOrder,
    FoundOrders,
    Hold,
    Ledger,
    Lifecycle,
    OrderMails,
    Profile,
    Receipts,
    Timeline,
)
from shared.kernel.services import Answer, ServicesClient


@dataclass(slots=True, frozen=True)
class Story:
    """The parts of other services. Each is known, or is not and says why. `others`: orders of the same mailbox."""

    order: Answer[FoundOrders]
    timeline: Answer[Timeline]
    attempts: Answer[Attempts]
    ledger: Answer[Ledger]
    receipts: Answer[Receipts]
    profile: Answer[Profile]
    lifecycle: Answer[Lifecycle]
    mails: Answer[OrderMails]
    others: Answer[FoundOrders]
    hold: Answer[Hold]

    @property
    def found(self) -> FoundOrder | None:
        """The order, as ordering has it; None: not known now, or no such order."""
        return next(iter(self.order.value.orders), None) if self.order.value else None


async def read_story(services: ServicesClient, order_id: UUID, trace: str | None) -> Story:
    """Ask every service about an order."""
    async with asyncio.TaskGroup() as group:
        ordered = group.create_task(_order_and_others(services, order_id, trace))
        timeline = group.create_task(
            services.try_find("ordering", Timeline, f"/orders/{order_id}/timeline?lang=en", trace)
        )
        attempts = group.create_task(services.try_find("payments", Attempts, f"/orders/{order_id}/attempts", trace))
        ledger = group.create_task(services.try_find("payments", Ledger, f"/orders/{order_id}/ledger", trace))
        receipts = group.create_task(services.try_find("payments", Receipts, f"/orders/{order_id}/receipts", trace))
        profile = group.create_task(services.try_find("provisioning", Profile, f"/profiles/{order_id}", trace))
        lifecycle = group.create_task(services.try_find("provisioning", Lifecycle, f"/profiles/{order_id}/life", trace))
        mails = group.create_task(services.try_find("notifications", OrderMails, f"/orders/{order_id}/mails", trace))
        hold = group.create_task(services.try_find("ordering", Hold, f"/orders/{order_id}/hold", trace))
    order, others = ordered.result()
    return Story(
        order,
        timeline.result(),
        attempts.result(),
        ledger.result(),
        receipts.result(),
        profile.result(),
        lifecycle.result(),
        mails.result(),
        others,
        hold.result(),
    )


async def search(services: ServicesClient, text: str, trace: str | None) -> Answer[FoundOrders]:
    """Orders of all shops by what a buyer can name."""
    return await services.try_find("ordering", FoundOrders, "/order-searches", trace, {"text": text})


async def _order_and_others(
    services: ServicesClient, order_id: UUID, trace: str | None
) -> tuple[Answer[FoundOrders], Answer[FoundOrders]]:
    order = await search(services, str(order_id), trace)
    if order.value is None:
        return order, Answer("ordering", None, order.problem)
    contact = order.value.orders[0].contact if order.value.orders else None
    if contact is None:
        return order, Answer("ordering", FoundOrders(orders=[], more=False))
    others = await search(services, contact.email, trace)
    if others.value is not None:
        left = [other for other in others.value.orders if other.order_id != order_id]
        others = Answer("ordering", FoundOrders(orders=left, more=others.value.more))
    return order, others
