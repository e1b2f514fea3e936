"""Reads orders with their cases, and writes cases back; every statement handles a whole set of orders."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from refunds.cases.models.case import Case, RefundOutcome, Revocation
from refunds.cases.models.errors import UnknownCaseError, UnknownOrderError
from refunds.cases.models.file import CaseFile, Order
from refunds.tables import cases, notes
from shared.database import Tx
from shared.ids import uuid_for

_COLUMNS = tuple(column.name for column in fields(Case))
_UPSERT = "ON CONFLICT (case_id) DO UPDATE SET " + ", ".join(
    f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name != "case_id"
)
_WITH_OPEN_CASES = """
SELECT DISTINCT order_id FROM cases WHERE order_id = ANY(CAST(:orders AS uuid[])) AND closed_at IS NULL
"""
_LOCK = "SELECT 1 FROM order_facts WHERE order_id = ANY(CAST(:orders AS uuid[])) ORDER BY order_id FOR UPDATE"
_ORDERS = """
SELECT f.*, o.install_state, o.install_source, o.install_observed_at, o.used_bytes, o.total_bytes, o.usage_source,
  o.usage_observed_at, o.downloaded_at, o.installed_at, o.activated_at, o.deleted_at, o.plan_ends_at, o.asked_at,
  o.observed_at, o.unreached_at
FROM order_facts f LEFT JOIN observations o USING (order_id) WHERE f.order_id = ANY(CAST(:orders AS uuid[]))
"""
_CHARGES = "SELECT * FROM charges WHERE order_id = ANY(CAST(:orders AS uuid[])) ORDER BY captured_at, charge_id"
#: When the refund failed; null while it is being tried again. `r` is its row of `refund_outcomes`.
FAILED_AT = "CASE WHEN r.retried_attempt > COALESCE(r.failed_attempt, 1) THEN NULL ELSE r.failed_at END"
#: The columns that `refund_of` reads.
REFUND_COLUMNS = f"r.settled_at AS out_settled, {FAILED_AT} AS out_failed, r.failure AS out_failure"
_CASES = f"""
SELECT {", ".join(f"c.{name}" for name in _COLUMNS)}, {REFUND_COLUMNS},
  v.revoked_at AS rev_revoked, v.refused_at AS rev_refused, v.in_use AS rev_in_use
FROM cases c LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id LEFT JOIN revocations v ON v.case_id = c.case_id
WHERE c.order_id = ANY(CAST(:orders AS uuid[])) ORDER BY c.requested_at, c.case_id
"""
_ORDER_BY_ID = "SELECT * FROM order_facts WHERE order_id = :id"
_ORDER_BY_NUMBER = "SELECT * FROM order_facts WHERE order_number = :number"
_ORDER_OF_CASE = "SELECT f.* FROM cases c JOIN order_facts f USING (order_id) WHERE c.case_id = :case"


async def find_order(tx: Tx, name: str, storefront: str | None) -> Any:
    """The row of `order_facts` by order id or number. `storefront`: only an order of this one; None: of any.

    Raises UnknownOrderError.
    """
    try:
        row = (await tx.execute(_ORDER_BY_ID, id=UUID(name))).one_or_none()
    except ValueError:
        row = (await tx.execute(_ORDER_BY_NUMBER, number=name)).first()
    if row is None or (storefront is not None and row.storefront != storefront):
        raise UnknownOrderError
    return row


async def find_order_of_case(tx: Tx, case_id: UUID, storefront: str | None = None) -> Any:
    """The row of `order_facts` that a case belongs to; `storefront` as in `find_order`. Raises UnknownCaseError."""
    row = (await tx.execute(_ORDER_OF_CASE, case=case_id)).one_or_none()
    if row is None or (storefront is not None and row.storefront != storefront):
        raise UnknownCaseError
    return row


async def ground_exists(tx: Tx, ground: str) -> bool:
    """Whether a case of any order has this ground, which stands for an idempotency key.

    Until the commit no other transaction asks for the same one, so that it cannot be taken twice.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(:ground, 0))", ground=ground)
    found = await tx.execute("SELECT 1 FROM cases WHERE ground = :ground AND shop_request IS NOT NULL", ground=ground)
    return found.first() is not None


async def with_open_cases(tx: Tx, orders: Iterable[UUID]) -> list[UUID]:
    """Those of the orders that have open cases."""
    return (await tx.execute(_WITH_OPEN_CASES, orders=sorted(orders))).scalars()


async def lock(tx: Tx, orders: Iterable[UUID]) -> None:
    """Lock these orders until the commit.

    The lock is taken before anything about an order is read, and always in the order of the ids.
    """
    await tx.execute(_LOCK, orders=sorted(orders))


async def load(tx: Tx, orders: Sequence[UUID]) -> dict[UUID, CaseFile]:
    """The files of these orders; orders that do not exist are left out."""
    ids = sorted(orders)
    files: dict[UUID, CaseFile] = {}
    charges: dict[UUID, list[Any]] = {}
    for charge in await tx.execute(_CHARGES, orders=ids):
        charges.setdefault(charge.order_id, []).append(charge)
    for row in await tx.execute(_ORDERS, orders=ids):
        files[row.order_id] = CaseFile(Order(row, charges.get(row.order_id, ())), approved_minor=row.approved_minor)
    for row in await tx.execute(_CASES, orders=ids):
        file = files.get(row.order_id)
        if file is None:
            continue
        file.cases.append(case_of(row))
        file.refunds[row.case_id] = refund_of(row)
        file.revocations[row.case_id] = Revocation(row.rev_revoked, row.rev_refused, row.rev_in_use)
    return files


async def load_one(tx: Tx, order_id: UUID) -> CaseFile:
    """The file of one order. Raises UnknownOrderError."""
    file = (await load(tx, [order_id])).get(order_id)
    if file is None:
        raise UnknownOrderError
    return file


async def lock_case(tx: Tx, order_id: UUID, case_id: UUID) -> tuple[CaseFile, Case]:
    """Lock an order, and read its file and one of its cases. Raises UnknownOrderError."""
    await lock(tx, [order_id])
    file = await load_one(tx, order_id)
    case = file.case(case_id)
    if case is None:
        raise UnknownOrderError
    return file, case


def case_of(row: Any) -> Case:
    """The case in a row that has all columns of `cases`."""
    return Case(**{name: getattr(row, name) for name in _COLUMNS})


def refund_of(row: Any) -> RefundOutcome:
    """The outcome of the refund in a row that has REFUND_COLUMNS."""
    return RefundOutcome(row.out_settled, row.out_failed, row.out_failure)


async def save(tx: Tx, changed: Sequence[Case]) -> None:
    """Write cases back; insert the new ones."""
    ordered = sorted(
        {case.case_id: case for case in changed}.values(), key=lambda case: (case.order_id.int, case.case_id.int)
    )
    await tx.insert(cases, [asdict(case) for case in ordered], on_conflict=_UPSERT)


def note_id(case_id: UUID, kind: str, text: str) -> UUID:
    """The id of a note. The same words about a case are one note."""
    return uuid_for("note", str(case_id), kind, text)


async def stored_notes(tx: Tx, note_ids: Collection[UUID]) -> set[UUID]:
    """Those of these notes that are stored."""
    sql = "SELECT note_id FROM notes WHERE note_id = ANY(CAST(:ids AS uuid[]))"
    return set((await tx.execute(sql, ids=list(note_ids))).scalars())


async def keep_notes(
    tx: Tx, file: CaseFile, case: Case, words: Iterable[tuple[str, str]], who: str, keep: timedelta
) -> None:
    """Keep what was written about a case for a limited time. `words`: (kind, text); the same words are kept once."""
    rows = [
        {
            "note_id": note_id(case.case_id, kind, text),
            "case_id": case.case_id,
            "order_id": case.order_id,
            "buyer_id": file.order.row.buyer_id,
            "at": tx.now,
            "who": who,
            "kind": kind,
            "text": text,
            "keep_until": tx.now + keep,
        }
        for kind, text in words
    ]
    await tx.insert(notes, rows)
