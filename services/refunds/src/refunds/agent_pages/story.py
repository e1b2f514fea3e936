"""Everything that is known of an order and its buyer: read from the service that owns each part, all at once."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from refunds.agent_pages.models import (
    Attempts,
    FoundOrder,
    FoundOrders,
    Ledger,
    Lifecycle,
    OrderMails,
    Profile,
    Receipts,
    Timeline,
)
from refunds.clients.services import Part, ServicesClient


@dataclass(slots=True, frozen=True)
class Story:
    """The parts of other services. Each is known, or is not and says why. `others`: orders of the same mailbox."""

    order: Part[FoundOrders]
    timeline: Part[Timeline]
    attempts: Part[Attempts]
    ledger: Part[Ledger]
    receipts: Part[Receipts]
    profile: Part[Profile]
    lifecycle: Part[Lifecycle]
    mails: Part[OrderMails]
    others: Part[FoundOrders]

    @property
    def found(self) -> FoundOrder | None:
        """The order, as ordering has it; None: not known now, or no such order."""
        return next(iter(self.order.value.orders), None) if self.order.value else None


async def read_story(services: ServicesClient, order_id: UUID, trace: str | None) -> Story:
    """Ask every service about an order."""
    async with asyncio.TaskGroup() as group:
        ordered = group.create_task(_order_and_others(services, order_id, trace))
        timeline = group.create_task(services.read("ordering", Timeline, f"/orders/{order_id}/timeline?lang=en", trace))
        attempts = group.create_task(services.read("payments", Attempts, f"/orders/{order_id}/attempts", trace))
        ledger = group.create_task(services.read("payments", Ledger, f"/orders/{order_id}/ledger", trace))
        receipts = group.create_task(services.read("payments", Receipts, f"/orders/{order_id}/receipts", trace))
        profile = group.create_task(services.read("provisioning", Profile, f"/profiles/{order_id}", trace))
        lifecycle = group.create_task(services.read("provisioning", Lifecycle, f"/profiles/{order_id}/life", trace))
        mails = group.create_task(services.read("notifications", OrderMails, f"/orders/{order_id}/mails", trace))
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
    )


async def search(services: ServicesClient, text: str, trace: str | None) -> Part[FoundOrders]:
    """Orders of all shops by what a buyer can name."""
    return await services.read("ordering", FoundOrders, "/order-searches", trace, {"text": text})


async def _order_and_others(
    services: ServicesClient, order_id: UUID, trace: str | None
) -> tuple[Part[FoundOrders], Part[FoundOrders]]:
    order = await search(services, str(order_id), trace)
    if order.value is None:
        return order, Part(problem=order.problem)
    contact = order.value.orders[0].contact if order.value.orders else None
    if contact is None:
        return order, Part(FoundOrders(orders=[], more=False))
    others = await search(services, contact.email, trace)
    if others.value is not None:
        left = [other for other in others.value.orders if other.order_id != order_id]
        others = Part(FoundOrders(orders=left, more=others.value.more))
    return order, others
