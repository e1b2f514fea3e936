"""Accepts or refuses orders, for HTTP and Kafka: any number of orders in one transaction.

An idempotency key of a storefront stands for one order. An accepted order keeps its key. A refused order leaves it
free, so that the shop can correct the order and send it again under the same key.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ordering.catalogue.models import Catalogue
from ordering.holds import screen
from ordering.holds.models import Candidate, Limits, LimitsOf, Screened
from ordering.intake.models import (
    BAD_KEY,
    KEY_REUSED,
    TOO_MANY_ORDERS,
    UNKNOWN_BODY,
    UNKNOWN_STOREFRONT,
    Accepted,
    Checked,
    NewOrder,
    Refusal,
    Submission,
    ValidOrder,
)
from ordering.intake.rules.top_ups import check_top_up
from ordering.intake.rules.validation import valid_key, validate_order
from ordering.intake.store import claim_keys, delete_orders, find_accepted, find_sold_esims, insert_orders
from ordering.timeline.models import OrderState, PlacedOrder, Status
from ordering.updates import update_of_order, write
from ordering.updates.models import Change, Update
from shared.contracts import BuyerContact, FieldError, OrderPlaced
from shared.database import Tx
from shared.ids import uuid7

#: What a limit of unpaid orders counts by, as the sender knows it.
_COUNTED = {
    "unpaid_by_email": "buyer.email",
    "unpaid_by_phone": "buyer.phone",
    "unpaid_by_ip": "network",
}


def check(submission: Submission, catalogue: Catalogue) -> Checked:
    """Validate a submission, as far as that needs no database."""
    return Checked(submission, _body_hash(submission.order), _validate(submission, catalogue))


async def accept(
    tx: Tx, batch: Sequence[Checked], *, keep_sessions: timedelta, limits: LimitsOf
) -> list[Accepted | Refusal]:
    """Accept or refuse each submission; the result has the sequence of the batch.

    The number of SQL statements does not depend on the number of submissions.
    """
    # 1. Refuse what is not valid, and top-ups that could not be applied.
    submissions, hashes = [entry.submission for entry in batch], [entry.body_hash for entry in batch]
    checked = await _refuse_impossible_top_ups(tx, submissions, [entry.result for entry in batch])

    # 2. Claim the idempotency keys of what is valid. Whose key was free is a new order.
    valid = {
        index: _new_order(submissions[index], hashes[index], result)
        for index, result in enumerate(checked)
        if isinstance(result, ValidOrder)
    }
    claimed = await claim_keys(tx, list(valid.values()))
    new = {index: order for index, order in valid.items() if order.order_id in claimed}

    # 3. Insert the new orders, hold or refuse the suspicious ones, publish the others.
    screened = Screened()
    if new:
        await insert_orders(tx, list(new.values()), keep_sessions)
        screened = await screen(tx, [_candidate(order) for order in new.values()], limits)
        for index, order in list(new.items()):
            if (limit := screened.refused.get(order.order_id)) is not None:
                checked[index] = _too_many(limit, limits(submissions[index].storefront))
                del new[index]
        await delete_orders(tx, [order for order in valid.values() if order.order_id in screened.refused])
        _publish(tx, list(new.values()), screened.held)
        await write(tx, _updates(list(new.values()), screened.held, tx.now))

    # 4. Answer the rest by the order that has their key. Also what is not valid: the answer to a repeated order does
    #    not change with the catalogue.
    rest = [index for index, submission in enumerate(submissions) if index not in new and valid_key(submission.key)]
    accepted_before = await find_accepted(tx, [(submissions[i].storefront, submissions[i].key) for i in rest])
    return [
        Accepted(_placed(new[index], tx, screened.held), replayed=False)
        if index in new
        else _answer_from_key(submission, hashes[index], accepted_before, checked[index])
        for index, submission in enumerate(submissions)
    ]


def _validate(submission: Submission, catalogue: Catalogue) -> ValidOrder | Refusal:
    if not valid_key(submission.key):
        return Refusal(BAD_KEY, (FieldError(field="submission_id", message="1 to 100 printable ASCII characters"),))
    storefront = catalogue.storefront(submission.storefront)
    if storefront is None:
        return Refusal(UNKNOWN_STOREFRONT, (FieldError(field="storefront", message="is not in the catalogue"),))
    return validate_order(submission.order, storefront, catalogue)


async def _refuse_impossible_top_ups(
    tx: Tx, submissions: Sequence[Submission], checked: list[ValidOrder | Refusal]
) -> list[ValidOrder | Refusal]:
    """The same results, but refusals for top-ups whose eSIM is unknown, has ended or has another coverage."""
    iccids = {result.request.iccid for result in checked if isinstance(result, ValidOrder) and result.request.iccid}
    if not iccids:
        return checked
    esims = await find_sold_esims(tx, iccids)
    return [
        (check_top_up(submission.storefront, result.plan, esims.get(result.request.iccid)) or result)
        if isinstance(result, ValidOrder) and result.request.iccid
        else result
        for submission, result in zip(submissions, checked, strict=True)
    ]


def _answer_from_key(
    submission: Submission,
    body_hash: bytes,
    accepted_before: Mapping[tuple[str, str], PlacedOrder],
    checked: ValidOrder | Refusal,
) -> Accepted | Refusal:
    placed = accepted_before.get((submission.storefront, submission.key))
    if placed is not None and placed.body_hash in (body_hash, UNKNOWN_BODY):
        return Accepted(placed, replayed=True)
    if placed is not None:
        return Refusal(KEY_REUSED, (FieldError(field="submission_id", message="was used for another order"),))
    if isinstance(checked, Refusal):
        return checked
    # A claimed key belongs to a committed order, so this cannot happen; the caller's transaction rolls back.
    raise LookupError("an idempotency key is taken, but its order is not there")


def _new_order(submission: Submission, body_hash: bytes, valid: ValidOrder) -> NewOrder:
    return NewOrder(
        submission.storefront,
        submission.key,
        body_hash,
        valid,
        submission.session,
        submission.trace,
        order_id=uuid7(),
        buyer_id=uuid7(),
        test=submission.test,
    )


def _too_many(limit: str, limits: Limits) -> Refusal:
    message = f"{getattr(limits, limit)} orders of the last 24 hours wait for payment"
    return Refusal(TOO_MANY_ORDERS, (FieldError(field=_COUNTED[limit], message=message),))


def _body_hash(order: object) -> bytes:
    """SHA-256 of the order. Spaces and the sequence of fields do not change it."""
    return hashlib.sha256(json.dumps(order, sort_keys=True, separators=(",", ":")).encode()).digest()


def _candidate(order: NewOrder) -> Candidate:
    return Candidate(
        order_id=order.order_id,
        number=order.number,
        storefront=order.storefront,
        buyer_id=order.buyer_id,
        mailbox_key=order.valid.email.key,
        phone=order.valid.phone.e164,
        address=order.session.public_address,
        trace=order.trace,
    )


def _placed(order: NewOrder, tx: Tx, held: Collection[UUID]) -> PlacedOrder:
    valid = order.valid
    return PlacedOrder(
        order.order_id,
        order.storefront,
        order.number,
        valid.request.kind,
        valid.plan.model_dump(mode="json"),
        valid.price.amount,
        valid.price.currency,
        tx.now,
        order.trace,
        order.body_hash,
        order.order_id in held,
        order.test,
    )


def _publish(tx: Tx, new_orders: Sequence[NewOrder], held: Collection[UUID]) -> None:
    # Contacts first: it is not required, but services usually have the buyer before they handle the order.
    for order in new_orders:
        request = order.valid.request
        contact = BuyerContact(
            buyer_id=order.buyer_id,
            storefront=order.storefront,
            name=request.buyer.name,
            email=order.valid.email.text,
            phone=order.valid.phone.e164,
            language=request.buyer.language,
            company=order.valid.company,
            newsletter=False,
            newsletter_asked=request.newsletter,
            updated_at=tx.now,
        )
        tx.publish(contact, trace=order.trace)
    for order in new_orders:
        if order.order_id in held:
            continue  # published when an agent releases it, so that nobody can pay before
        request = order.valid.request
        event = OrderPlaced(
            order_id=order.order_id,
            order_number=str(order.number),
            storefront=order.storefront,
            buyer_id=order.buyer_id,
            kind=request.kind,
            iccid=request.iccid,
            plan=order.valid.plan,
            price=order.valid.price,
            offer_version=request.offer_version,
            privacy_version=request.privacy_version,
            placed_at=tx.now,
            submission_id=order.submission_id,
        )
        tx.publish(event, trace=order.trace)


def _updates(new_orders: Sequence[NewOrder], held: Collection[UUID], now: datetime) -> list[Update]:
    """Each order was accepted; those of `held` are held."""
    updates = []
    for order in new_orders:
        valid = order.valid
        state = OrderState(
            order.order_id,
            order.storefront,
            order.number,
            valid.request.kind,
            valid.plan.id,
            valid.price.amount,
            valid.price.currency,
            order.submission_id,
            test=order.test,
        )
        is_held = order.order_id in held
        status = Status.HELD if is_held else Status.PLACED
        updates.append(update_of_order(state, Change("order.accepted"), status, now, order.trace))
        if is_held:
            updates.append(update_of_order(state, Change("order.held"), status, now, order.trace))
    return updates
