"""Corrects and blocks contacts, and publishes each change to the services that keep a copy (PP 6.1, 6.2)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from ordering.contact import store
from ordering.contact.models import Correction, OrderContact, RequestedBy, Requester
from ordering.contact.rules import Mailbox
from ordering.timeline.models import Reference
from shared.contracts import BuyerContact
from shared.database import Tx
from shared.kernel.problems import Problem


async def order_with_contact(tx: Tx, storefront: str | None, reference: Reference) -> OrderContact:
    """The order and its contact. Raises Problem: 404 for an unknown order, 410 if the contact was erased."""
    order = await store.find_order(tx, storefront, reference)
    if order is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order.")
    if order.erased:
        raise _erased()
    return order


async def lock_mailbox_of(tx: Tx, order: OrderContact) -> Mailbox:
    """The order's mailbox with its rows locked. Raises Problem (410) if the contact was erased meanwhile."""
    mailbox = await store.lock_mailbox(tx, order.buyer_id)
    if mailbox is None:
        raise _erased()
    return mailbox


def requester_of(order: OrderContact, mailbox: Mailbox, requested_by: RequestedBy) -> Requester:
    """Who requests a code for this order."""
    return Requester(order, mailbox.own.email, mailbox.own.phone, mailbox.unproved, requested_by)


async def correct(
    tx: Tx,
    order_id: UUID,
    buyers: Sequence[UUID],
    correction: Correction,
    *,
    confirmed_by: str,
    identification: Mapping[str, Any] | None = None,
    trace: str | None,
) -> None:
    """Correct these contacts, whose rows are locked, and publish them. `order_id`: the order of the request."""
    rows = await store.update_contacts(
        tx, order_id, buyers, correction, confirmed_by=confirmed_by, identification=identification
    )
    _publish(tx, rows, trace)


async def set_blocked(tx: Tx, buyers: Sequence[UUID], *, blocked: bool, trace: str | None) -> None:
    """Block or unblock these contacts, whose rows are locked, and publish them (PP 6.2)."""
    rows = await store.update_blocked(tx, buyers, blocked=blocked)
    _publish(tx, rows, trace)


def _publish(tx: Tx, rows: Sequence[Any], trace: str | None) -> None:
    for row in rows:
        tx.publish(BuyerContact(**row._asdict(), updated_at=tx.now), trace=trace)


def _erased() -> Problem:
    return Problem(HTTPStatus.GONE, "buyer-erased", "The buyer's data were erased; there is nothing to change.")
