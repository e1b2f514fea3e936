"""Accepting orders: the one way in for HTTP and Kafka, any number of orders in one transaction.

A storefront's idempotency key stands for one order. Accepted orders keep their key; a refused order leaves it free,
so the shop corrects the order and sends it again under the same key.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ordering.catalogue.models import Catalogue
from ordering.holds.actions import hold_suspicious
from ordering.holds.rules import Limits
from ordering.intake.rules.top_ups import judge_top_up
from ordering.intake.rules.validation import (
    BAD_KEY,
    KEY_REUSED,
    UNKNOWN_STOREFRONT,
    Approved,
    Refusal,
    judge,
    valid_key,
)
from ordering.intake.store import NO_SESSION, Draft, Placed, Session, claim, earlier, place, sold
from shared.contracts import BuyerContact, FieldError, OrderPlaced
from shared.database import Tx
from shared.ids import uuid7

_USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Submission:
    """An order as it came: `order` is a JSON value that nobody has looked at yet."""

    storefront: str
    key: str
    order: object
    trace: str | None
    session: Session = NO_SESSION


@dataclass(frozen=True, slots=True)
class Accepted:
    """The order that stands for a submission; `replayed` where it was accepted before."""

    placed: Placed
    replayed: bool


async def accept(
    tx: Tx,
    catalogue: Catalogue,
    submissions: Sequence[Submission],
    *,
    keep_sessions: timedelta,
    limits: Limits = _USUAL,
) -> list[Accepted | Refusal]:
    """Accept or refuse each submission, in their order.

    A number of statements that does not depend on how many there are: keys, buyers, orders, session records, and a
    look at earlier orders where a key was not free or an order not valid.
    """
    hashes = [_fingerprint(submission.order) for submission in submissions]
    verdicts = await _known_esims(tx, submissions, [_judge(submission, catalogue) for submission in submissions])
    drafts = {
        index: _draft(submissions[index], hashes[index], verdict)
        for index, verdict in enumerate(verdicts)
        if isinstance(verdict, Approved)
    }
    free = await claim(tx, list(drafts.values()))
    new = {index: draft for index, draft in drafts.items() if draft.order_id in free}
    held: set[UUID] = set()
    if new:
        await place(tx, list(new.values()), keep_sessions)
        held = await hold_suspicious(tx, list(new.values()), limits)
        _publish(tx, list(new.values()), held)
    # Also for what is not valid (any more): the answer to a repeated order does not change with the catalogue.
    rest = [index for index, one in enumerate(submissions) if index not in new and valid_key(one.key)]
    known = await earlier(tx, [(submissions[i].storefront, submissions[i].key) for i in rest])
    return [
        Accepted(_placed(new[index], tx, held), replayed=False)
        if index in new
        else _repeated(submission, hashes[index], known, verdicts[index])
        for index, submission in enumerate(submissions)
    ]


def _judge(submission: Submission, catalogue: Catalogue) -> Approved | Refusal:
    if not valid_key(submission.key):
        return Refusal(BAD_KEY, (FieldError(field="submission_id", message="1 to 100 printable ASCII characters"),))
    storefront = catalogue.storefront(submission.storefront)
    if storefront is None:
        return Refusal(UNKNOWN_STOREFRONT, (FieldError(field="storefront", message="is not in the catalogue"),))
    return judge(submission.order, storefront, catalogue)


async def _known_esims(
    tx: Tx, submissions: Sequence[Submission], verdicts: list[Approved | Refusal]
) -> list[Approved | Refusal]:
    """The same verdicts, but a top-up is refused where it is known that it could not be applied."""
    iccids = {one.request.iccid for one in verdicts if isinstance(one, Approved) and one.request.iccid}
    if not iccids:
        return verdicts
    esims = await sold(tx, iccids)
    return [
        (judge_top_up(submission.storefront, verdict.plan, esims.get(verdict.request.iccid)) or verdict)
        if isinstance(verdict, Approved) and verdict.request.iccid
        else verdict
        for submission, verdict in zip(submissions, verdicts, strict=True)
    ]


def _repeated(
    submission: Submission,
    fingerprint: bytes,
    known: Mapping[tuple[str, str], Placed],
    verdict: Approved | Refusal,
) -> Accepted | Refusal:
    placed = known.get((submission.storefront, submission.key))
    if placed is not None and placed.body_hash == fingerprint:
        return Accepted(placed, replayed=True)
    if placed is not None:
        return Refusal(KEY_REUSED, (FieldError(field="submission_id", message="was used for another order"),))
    if isinstance(verdict, Refusal):
        return verdict
    # A key that is not free belongs to a committed order, so this cannot be; the caller's transaction rolls back.
    raise LookupError("an idempotency key is taken, but its order is not there")


def _draft(submission: Submission, fingerprint: bytes, approved: Approved) -> Draft:
    return Draft(
        submission.storefront,
        submission.key,
        fingerprint,
        approved,
        submission.session,
        submission.trace,
        order_id=uuid7(),
        buyer_id=uuid7(),
    )


def _fingerprint(order: object) -> bytes:
    """The same for bodies that mean the same: spaces and the order of fields do not count."""
    return hashlib.sha256(json.dumps(order, sort_keys=True, separators=(",", ":")).encode()).digest()


def _placed(draft: Draft, tx: Tx, held: Collection[UUID]) -> Placed:
    approved = draft.approved
    return Placed(
        draft.order_id,
        draft.number,
        approved.request.kind,
        approved.plan.model_dump(mode="json"),
        approved.price.amount,
        approved.price.currency,
        tx.now,
        draft.trace,
        draft.body_hash,
        draft.order_id in held,
    )


def _publish(tx: Tx, drafts: Sequence[Draft], held: Collection[UUID]) -> None:
    # Contacts first: whoever acts on an order likes to know its buyer by then (order does not matter, but helps).
    for draft in drafts:
        request = draft.approved.request
        contact = BuyerContact(
            buyer_id=draft.buyer_id,
            storefront=draft.storefront,
            name=request.buyer.name,
            email=draft.approved.email.text,
            phone=draft.approved.phone.e164,
            language=request.buyer.language,
            newsletter=False,
            newsletter_asked=request.newsletter,
            updated_at=tx.now,
        )
        tx.publish(contact, trace=draft.trace)
    for draft in drafts:
        if draft.order_id in held:
            continue  # told when an agent releases it: nobody can pay before
        request = draft.approved.request
        order = OrderPlaced(
            order_id=draft.order_id,
            order_number=str(draft.number),
            storefront=draft.storefront,
            buyer_id=draft.buyer_id,
            kind=request.kind,
            iccid=request.iccid,
            plan=draft.approved.plan,
            price=draft.approved.price,
            offer_version=request.offer_version,
            privacy_version=request.privacy_version,
            placed_at=tx.now,
            submission_id=draft.submission_id,
        )
        tx.publish(order, trace=draft.trace)
