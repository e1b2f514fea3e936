"""Stores facts of other services, each in its own columns. The first report of a fact wins; any order gives the same.

Every function writes a whole batch with one statement.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from refunds.cases.models.request import Request
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.tables import charges, contacts, order_facts, refund_outcomes, revocations
from shared.contracts import (
    BuyerContact,
    DuplicateCharged,
    OrderEvent,
    ProfileRevoked,
    RefundFailed,
    RefundSettled,
    RevocationRefused,
    order_fields,
)
from shared.database import Tx

E = TypeVar("E", bound=OrderEvent)
RevocationAnswer = TypeVar("RevocationAnswer", ProfileRevoked, RevocationRefused)

#: Marks the case as opened. Payment and failure may come in either order; the second of them finds both, exactly once.
_CLAIM_FAILED = """
UPDATE order_facts SET case_opened_at = :now
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND failed_at IS NOT NULL AND case_opened_at IS NULL
  AND paid_at IS NOT NULL
RETURNING order_id, failed_at
"""
_CLAIM_CHARGES = """
UPDATE charges c SET case_opened_at = :now FROM order_facts f
WHERE c.order_id = ANY(CAST(:orders AS uuid[])) AND c.case_opened_at IS NULL
  AND f.order_id = c.order_id AND f.paid_at IS NOT NULL
RETURNING c.order_id, c.charge_id, c.captured_at
"""
_NEWEST_CONTACT = """
ON CONFLICT (buyer_id) DO UPDATE
SET email_hash = EXCLUDED.email_hash, phone_hash = EXCLUDED.phone_hash, updated_at = EXCLUDED.updated_at
WHERE contacts.erased_at IS NULL AND contacts.updated_at < EXCLUDED.updated_at
"""
_CONTACT = "SELECT email_hash, phone_hash FROM contacts WHERE buyer_id = :buyer"


async def keep(tx: Tx, events: Sequence[E], columns: Callable[[E], Mapping[str, Any]]) -> None:
    """Store the order of each event, and the columns of `order_facts` that the event fills."""
    await tx.record_facts(
        order_facts,
        "order_id",
        (
            {
                **order_fields(event),
                **columns(event),
            }
            for event in events
        ),
    )


async def keep_revocations(
    tx: Tx, events: Iterable[RevocationAnswer], columns: Callable[[RevocationAnswer], Mapping[str, Any]]
) -> None:
    """Store what provisioning answered to revocations that cases requested."""
    await tx.record_facts(
        revocations,
        "case_id",
        (
            {"case_id": event.case_id, "order_id": event.order_id, **columns(event)}
            for event in events
            if event.case_id is not None
        ),
    )


async def keep_charges(tx: Tx, events: Iterable[DuplicateCharged]) -> None:
    """Store surplus captures."""
    rows = {
        event.charge_id: {
            "charge_id": event.charge_id,
            "order_id": event.order_id,
            "amount_minor": event.amount.amount,
            "currency": event.amount.currency,
            "captured_at": event.captured_at,
        }
        for event in events
    }
    await tx.insert(charges, [rows[charge] for charge in sorted(rows)])


async def keep_settled(tx: Tx, events: Iterable[RefundSettled]) -> None:
    """Store that these refunds are settled."""
    await tx.record_facts(
        refund_outcomes,
        "refund_id",
        (
            {"refund_id": event.refund_id, "order_id": event.order_id, "settled_at": event.settled_at}
            for event in events
        ),
    )


async def keep_failed(tx: Tx, events: Iterable[RefundFailed]) -> None:
    """Store that the bank refused these refunds."""
    await tx.record_facts(
        refund_outcomes,
        "refund_id",
        (
            {
                "refund_id": event.refund_id,
                "order_id": event.order_id,
                "failed_at": event.failed_at,
                "failure": event.reason,
            }
            for event in events
        ),
    )


async def keep_contacts(tx: Tx, events: Iterable[BuyerContact], fingerprints: Fingerprints) -> None:
    """Store keyed hashes of each buyer's newest e-mail and phone, and nothing else of the contact."""
    newest: dict[UUID, BuyerContact] = {}
    for event in events:
        if event.buyer_id not in newest or newest[event.buyer_id].updated_at < event.updated_at:
            newest[event.buyer_id] = event
    rows = [
        {
            "buyer_id": buyer,
            "email_hash": fingerprints.email(newest[buyer].email),
            "phone_hash": fingerprints.phone(newest[buyer].phone),
            "updated_at": newest[buyer].updated_at,
        }
        for buyer in sorted(newest)
    ]
    await tx.insert(contacts, rows, on_conflict=_NEWEST_CONTACT)


async def provided_fields(tx: Tx, buyer_id: UUID, request: Request, fingerprints: Fingerprints) -> frozenset[str]:
    """The fields that the request provides, without an e-mail or phone that is not the order's.

    Accepted unverified when no contact is on file.
    """
    if request.email is None and request.phone is None:
        return request.provided
    row = (await tx.execute(_CONTACT, buyer=buyer_id)).one_or_none()
    if row is None:
        return request.provided
    wrong = set()
    for name, matches, on_file, given in (
        ("email", fingerprints.is_email, row.email_hash, request.email),
        ("phone", fingerprints.is_phone, row.phone_hash, request.phone),
    ):
        if given is not None and on_file is not None and not matches(on_file, given):
            wrong.add(name)
    return request.provided - wrong


@dataclass(slots=True, frozen=True)
class FailedOrder:
    """A paid order whose generation failed, and which has no case yet."""

    order_id: UUID
    failed_at: datetime


@dataclass(slots=True, frozen=True)
class SurplusCharge:
    """A surplus capture of a paid order, which has no case yet."""

    order_id: UUID
    charge_id: UUID
    captured_at: datetime


async def claim_failed_orders(tx: Tx, orders: Sequence[UUID]) -> list[FailedOrder]:
    """Those of the orders that need a case for a failed generation now. Each is returned once."""
    rows = await tx.execute(_CLAIM_FAILED, orders=orders, now=tx.now)
    return [FailedOrder(row.order_id, row.failed_at) for row in rows]


async def claim_charges(tx: Tx, orders: Sequence[UUID]) -> list[SurplusCharge]:
    """The surplus captures of these orders that need a case now. Each is returned once."""
    rows = await tx.execute(_CLAIM_CHARGES, orders=orders, now=tx.now)
    return [SurplusCharge(row.order_id, row.charge_id, row.captured_at) for row in rows]
