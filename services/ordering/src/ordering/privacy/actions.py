"""Carries out confirmed privacy requests (PP 6.2)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never
from uuid import UUID

from ordering.clients.personal_data import PersonalDataClient
from ordering.contact import ConfirmationCodes, correct, order_with_contact, prove, set_blocked
from ordering.contact.models import Confirmed, Correction
from ordering.contact.rules import Mailbox
from ordering.privacy import store
from ordering.privacy.models import REPEAT_TOMBSTONE, ConfirmedErasure, Effect, RequestKind
from ordering.timeline import read_states
from ordering.timeline.models import Reference
from ordering.timeline.rules.status import facts_in_force, status
from ordering.updates import update_of_order, write
from ordering.updates.models import Change
from shared.contracts import BuyerContact, BuyerErasureRequested
from shared.database import Tx
from shared.ids import uuid_for
from shared.outcomes import Done, NotSent
from shared.task_payload import NoPayload

_KEPT = ("orders, their facts and the accepted document versions, without contact data: accounting and tax law",)
#: Later than `segment.ms` of the contacts' topic; see shared/messaging/topics.py.
_REPEAT_TOMBSTONE_AFTER = timedelta(minutes=65)
#: Concurrent calls to one service.
_CONCURRENT_CALLS = 4


async def carry_out_confirmed(tx: Tx, codes: ConfirmationCodes, confirmed: Confirmed, mailbox: Mailbox | None) -> bool:
    """Carry out a request whose code was entered. False if the contact has changed since the code was sent.

    A code that was sent by e-mail also proves the mailbox. `mailbox` is locked; None if it was erased.
    """
    if mailbox is None or not codes.was_sent_to(confirmed, mailbox.own.email, mailbox.own.phone):
        return False
    by_email = confirmed.channel == "email"
    if by_email:
        await prove(tx, confirmed.buyer_id, "code")
        mailbox = replace(mailbox, own=replace(mailbox.own, proved=True))
    confirmed_by = f"code by {confirmed.channel}"
    if confirmed.purpose != "contact_change":
        await carry_out(tx, confirmed.confirmation_id, mailbox, confirmed_by=confirmed_by)
        return True
    order = await order_with_contact(tx, None, Reference(order_id=confirmed.order_id))
    # A code by SMS confirms for its own order only, because the phone was submitted with the order.
    buyers = mailbox.reach("correct") if by_email else [confirmed.buyer_id]
    correction = Correction.unpacked(confirmed.payload or b"")
    await correct(tx, confirmed.order_id, buyers, correction, confirmed_by=confirmed_by, trace=order.trace)
    return True


async def effect_of(tx: Tx, kind: RequestKind, mailbox: Mailbox) -> Effect:
    """What a request of this kind would reach now. The mailbox is locked."""
    buyers = _reach(mailbox, kind)
    every = [mailbox.own.buyer_id, *(other.buyer_id for other in mailbox.others)]
    numbers = await store.numbers_of(tx, every)
    reached = sorted(number for buyer in buyers for number in numbers[buyer])
    left = sorted(number for buyer in every if buyer not in buyers for number in numbers[buyer])
    return Effect(kind, reached, left, mailbox.own.changed_at)


def _reach(mailbox: Mailbox, kind: RequestKind) -> list[UUID]:
    return mailbox.reach("block" if kind == "unblock" else kind)


async def carry_out(tx: Tx, request_id: UUID, mailbox: Mailbox, *, confirmed_by: str) -> None:
    """Confirm a request, once, and do what it asks for. Stores which buyers it reaches. The mailbox is locked."""
    request = await store.confirm_request(tx, request_id, confirmed_by)
    if request is None:
        return
    buyers = _reach(mailbox, request.kind)
    await store.insert_reached(tx, request_id, buyers)
    match request.kind:
        case "block" | "unblock":
            await set_blocked(tx, buyers, blocked=request.kind == "block", trace=request.trace)
        case "erase":
            await _erase(tx, buyers, request.storefront, request_id, trace=request.trace)


async def _erase(tx: Tx, buyers: Sequence[UUID], storefront: str, request_id: UUID, *, trace: str | None) -> None:
    """Erase buyers here, publish the request to the other services, and write the tombstone of each contact."""
    await store.erase_buyers(tx, buyers)
    for buyer_id in buyers:
        # Each buyer has an erasure of its own; that of the first buyer has the id of the request.
        erasure_id = request_id if buyer_id == buyers[0] else uuid_for("erasure", str(request_id), str(buyer_id))
        event = BuyerErasureRequested(
            buyer_id=buyer_id, storefront=storefront, request_id=erasure_id, requested_at=tx.now
        )
        tx.publish(event, trace=trace)
        tx.erase(BuyerContact, str(buyer_id), trace=trace)
        tx.schedule(REPEAT_TOMBSTONE, str(buyer_id), NoPayload(), due_at=tx.now + _REPEAT_TOMBSTONE_AFTER, trace=trace)
    await confirm_erasures(tx, "ordering", [ConfirmedErasure(buyer_id, _KEPT, tx.now) for buyer_id in buyers])


async def erase_again(tx: Tx, requested: Sequence[tuple[BuyerErasureRequested, str | None]]) -> None:
    """Erase buyers of whom a database that was put back has data again. The other services have erased them.

    The tombstones are written once more, because the tasks that repeat them may be lost.
    """
    erased = {event.buyer_id: (event, trace) for event, trace in requested}
    await store.erase_buyers(tx, sorted(erased))
    for buyer_id, (event, trace) in erased.items():
        due_at = event.requested_at + _REPEAT_TOMBSTONE_AFTER
        tx.schedule(REPEAT_TOMBSTONE, str(buyer_id), NoPayload(), due_at=due_at, trace=trace)
    confirmed = [ConfirmedErasure(buyer_id, _KEPT, event.requested_at) for buyer_id, (event, _) in erased.items()]
    await confirm_erasures(tx, "ordering", confirmed)


async def confirm_erasures(tx: Tx, service: str, confirmations: Sequence[ConfirmedErasure]) -> None:
    """Store that a service erased these buyers. The shop hears of a buyer once all services have confirmed."""
    erased = await store.insert_erasures(tx, service, confirmations)
    if not erased:
        return
    await write(
        tx,
        [
            update_of_order(order, Change("buyer.erased"), status(facts_in_force(order.facts)), tx.now, None)
            for order in await read_states(tx, erased)
        ],
    )


async def collect_from_services(
    client: PersonalDataClient, buyers: Sequence[UUID], trace: str | None
) -> Done[dict[str, dict[str, list[Any]]]] | NotSent:
    """What each other service stores about these buyers, by service and kind. All services must answer."""
    slots = asyncio.Semaphore(_CONCURRENT_CALLS)

    async def ask(service: str, buyer_id: UUID) -> Done[dict[str, list[Any]]] | NotSent:
        async with slots:
            return await client.stored_data(service, buyer_id, trace)

    collected: dict[str, dict[str, list[Any]]] = {}
    for service in client.services:
        parts = collected.setdefault(service, {})
        for outcome in await asyncio.gather(*(ask(service, buyer_id) for buyer_id in buyers)):
            match outcome:
                case NotSent():
                    return outcome
                case Done():
                    for kind, rows in outcome.value.items():
                        parts.setdefault(kind, []).extend(rows)
                case _:
                    assert_never(outcome)
    return Done(collected)
