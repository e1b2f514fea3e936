"""Holds or refuses suspicious orders at intake, and carries out an agent's decision about a held one."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ordering.holds import store
from ordering.holds.models import Candidate, Decision, LimitsOf, Screened
from ordering.holds.rules import broken_rules, highest, reached_limits
from ordering.timeline import record as record_in_timeline
from ordering.timeline.models import Fact, RecordedFact, Reference
from ordering.updates import record
from shared.contracts import OrderHeld, OrderPlaced, OrderRefused, OrderReleased, Plan
from shared.contracts.base import Money
from shared.database import Tx


async def screen(tx: Tx, candidates: Sequence[Candidate], limits: LimitsOf) -> Screened:
    """Hold the inserted orders that break a rule; name those that are beyond a limit of unpaid orders.

    The caller deletes the latter again: nothing of them is published. It writes the update of a held order, after that
    of its acceptance. One statement for a batch of usual orders.
    """
    own = {candidate.storefront: limits(candidate.storefront) for candidate in candidates}
    most = highest(list(own.values()))
    counts = await store.count(tx, candidates, most)
    broken = {
        candidate.order_id: rules
        for candidate in candidates
        if (rules := broken_rules(counts[candidate.order_id], own[candidate.storefront]))
    }
    if not broken:
        return Screened()
    suspicious = [candidate for candidate in candidates if candidate.order_id in broken]
    batch = [candidate.order_id for candidate in candidates]
    refused = reached_limits(suspicious, await store.count_unpaid(tx, suspicious, batch, most), limits)
    held = [candidate for candidate in suspicious if candidate.order_id not in refused]
    await _hold(tx, held, broken)
    return Screened(frozenset(candidate.order_id for candidate in held), refused)


async def _hold(tx: Tx, held: Sequence[Candidate], broken: Mapping[UUID, tuple[str, ...]]) -> None:
    await store.insert(tx, {candidate.order_id: broken[candidate.order_id] for candidate in held})
    for candidate in held:
        event = OrderHeld(
            order_id=candidate.order_id,
            order_number=str(candidate.number),
            storefront=candidate.storefront,
            buyer_id=candidate.buyer_id,
            rules=broken[candidate.order_id],
            held_at=tx.now,
        )
        tx.publish(event, trace=candidate.trace)
    facts = [(candidate.order_id, RecordedFact(Fact.ORDER_HELD, tx.now, trace=candidate.trace)) for candidate in held]
    await record_in_timeline(tx, facts)


async def decide(tx: Tx, order: Reference, *, decision: Decision, agent: str) -> bool:
    """Release a held order, which is then placed and can be paid, or refuse it. False if it waits for no decision."""
    row = await store.decide_open(tx, order, decision=decision, agent=agent)
    if row is None:
        return False
    fact = Fact.ORDER_RELEASED if decision == "released" else Fact.ORDER_REFUSED
    await record(tx, [(row.order_id, RecordedFact(fact, tx.now, trace=row.trace))])
    about = {
        "order_id": row.order_id,
        "order_number": str(row.number),
        "storefront": row.storefront,
        "buyer_id": row.buyer_id,
    }
    if decision == "refused":
        tx.publish(OrderRefused(**about, refused_at=tx.now), trace=row.trace)
        return True
    placed = OrderPlaced(
        **about,
        kind=row.kind,
        iccid=row.iccid,
        plan=Plan.model_validate(row.plan),
        price=Money(amount=row.price, currency=row.currency),
        offer_version=row.offer_version,
        privacy_version=row.privacy_version,
        placed_at=row.placed_at,
        submission_id=row.submission_id,
        released_at=tx.now,
    )
    tx.publish(placed, trace=row.trace)
    tx.publish(OrderReleased(**about, released_at=tx.now), trace=row.trace)
    return True
