"""The judge: what must hold of each order by the ledgers outside (I1 to I15, docs/invariants.md). Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from campaign.journeys import End, Journey
from campaign.ledgers import ENDED, Entry, Facts, Ledgers, facts_of
from local_stack.product import CASH_REGISTERS
from tour.ledgers import SALE, SALE_RETURN

#: What a shop's list calls an order that visibly waits for a person or for its buyer.
WAITING = frozenset({"delivery_failed", "refund_requested", "refund_failed", "provisioning_failed", "profile_ready"})


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be. `order`: the order's number; empty: of no order that we know."""

    invariant: str
    text: str
    order: str = ""
    journey: int = 0


def end_of(facts: Facts) -> End | None:
    """How the order has ended; None: not yet, as far as the outside knows."""
    if facts.captured == 0:
        return "unpaid"
    if facts.kept == 0:
        return "refunded"
    if facts.mailed and facts.kept == facts.order.price.amount:
        return "delivered"
    return None


def unclear(journeys: Sequence[Journey], ledgers: Ledgers) -> list[Journey]:
    """Those of which the outside knows no end that they may have: of these the shop is asked."""
    return [
        journey for journey in journeys if (facts := facts_of(journey, ledgers)) and end_of(facts) not in journey.ends
    ]


def unfinished(journeys: Sequence[Journey], ledgers: Ledgers) -> list[Journey]:
    """Those whose orders have not come to an end that they may have, or whose shop has not heard of it."""
    left = []
    for journey in journeys:
        facts = facts_of(journey, ledgers)
        if facts is None:
            continue
        end = end_of(facts)
        ended = end in journey.ends or (end is None and "waiting" in journey.ends)
        waits = missing_webhooks(journey, facts) or _top_up(journey, ledgers) or list(_receipts(facts, journey, end))
        if not ended or waits:
            left.append(journey)
    return left


def violations(journeys: Sequence[Journey], ledgers: Ledgers, statuses: dict[str, str]) -> list[Violation]:
    """Of all orders, and of what belongs to none. `statuses`: what the shop sees, by order id, of unfinished ones."""
    found = []
    for journey in journeys:
        facts = facts_of(journey, ledgers)
        if facts is not None:
            number = facts.order.number
            found += [
                Violation(invariant, text, number, journey.number)
                for invariant, text in _of_order(journey, facts, ledgers, statuses.get(facts.order.id, ""))
            ]
    return [*found, *_of_nobody(journeys, ledgers)]


def _of_order(journey: Journey, facts: Facts, ledgers: Ledgers, status: str) -> Iterator[tuple[str, str]]:
    end = end_of(facts)
    waits = "waiting" in journey.ends and status in WAITING
    if end not in journey.ends and not waits:
        wanted = " or ".join(sorted(journey.ends))
        yield "I1", f"ended as {end or 'nothing'} ({status or 'status not asked'}), should be {wanted}"
    yield from _money(facts)
    yield from _profile(facts)
    if end == "unpaid" and (facts.codes or facts.refund_mails):
        yield "I9" if journey.forged else "I5", "a mail with a code or a refund for an order that nobody paid"
    if journey.installed and facts.refunded and facts.kept == 0:
        yield "I15", "money returned for an eSIM that the operator reported as used"
    yield from (("webhooks", f"{kind} never reached the shop") for kind in missing_webhooks(journey, facts))
    yield from _receipts(facts, journey, end)
    yield from _top_up(journey, ledgers)


def _money(facts: Facts) -> Iterator[tuple[str, str]]:
    price = facts.order.price
    kept = [paid for paid in facts.transactions if paid["captured"] > paid["refunded"]]
    if len(kept) > 1:
        yield "I2", f"{len(kept)} captures are kept"
    for paid in facts.transactions:
        captured, refunded = paid["captured"], paid["refunded"]
        if captured not in {0, price.amount} or (captured and paid["currency"] != price.currency):
            yield "I3", f"the bank took {captured} {paid['currency']}, the price is {price}"
        if refunded > captured or sum(refund["amount"] for refund in paid["refunds"]) != refunded:
            yield "I3", f"invoice {paid['invoiceID']}: {refunded} returned of {captured}"


def _profile(facts: Facts) -> Iterator[tuple[str, str]]:
    usable = {identity for identity, profile in facts.profiles.items() if profile["state"] not in ENDED}
    if len(usable) > 1:
        iccids = sorted(profile["iccid"] for profile in facts.profiles.values())
        yield "I4", f"{len(usable)} profiles: {', '.join(iccids)}"
    identities = {mail["message_id"] for mail in facts.codes}
    if len(identities) > 1:
        addresses = {address for mail in facts.codes for address in mail["to"]}
        if len(addresses) == 1:
            yield "I7", f"{len(identities)} different mails with the code"
    if facts.mailed and facts.kept and not usable:
        yield "I5", "a code was mailed that no profile at an operator has"
    if facts.mailed and facts.captured == 0:
        yield "I5", "a code was mailed, and nothing was paid"
    if facts.kept == 0 and facts.refunded and usable:
        yield "I13", "all money was returned while the code still works"
    for profile in facts.profiles.values():
        cancelled = _cancelled_at(profile)
        returned = [refund["at"] for paid in facts.transactions for refund in paid["refunds"]]
        if facts.kept == 0 and cancelled and returned and datetime.fromisoformat(max(returned)) < cancelled:
            yield "I13", f"money was returned before profile {profile['iccid']} was revoked"


def _cancelled_at(profile: Entry) -> datetime | None:
    times = [
        call["at"]
        for call in profile.get("calls", ())
        if call["function"] == "cancelOrder" and str(call["status"]).startswith("Executed")
    ]
    return min(map(datetime.fromisoformat, times), default=None)


def _receipts(facts: Facts, journey: Journey, end: End | None) -> Iterator[tuple[str, str]]:
    if journey.shop not in CASH_REGISTERS or end is None:
        return
    sold = [receipt["total"] for receipt in facts.receipts if receipt["operationType"] == SALE]
    back = [receipt["total"] for receipt in facts.receipts if receipt["operationType"] == SALE_RETURN]
    if sum(sold) != facts.captured or sum(back) != facts.refunded:
        yield (
            "receipts",
            f"the cash register sold {sold} and took back {back}; the bank {facts.captured} and {facts.refunded}",
        )


def missing_webhooks(journey: Journey, facts: Facts) -> list[str]:
    """The types of webhooks about states that the shop could see, and that it never got."""
    if journey.without_webhooks:
        return []
    wanted = {"order.accepted"}
    if any(paid["status"] == "FAILED" for paid in facts.transactions):
        wanted.add("order.payment_failed")
    if facts.captured:
        wanted.add("order.paid")
    if facts.mailed:
        wanted.add("order.delivered")
    if facts.refunded:
        wanted.add("refund.settled")
    return sorted(wanted - facts.heard)


def _top_up(journey: Journey, ledgers: Ledgers) -> list[tuple[str, str]]:
    """A top-up that was paid is applied once, or its money went back and nothing was applied."""
    paid = [ledgers.by_invoice[number] for number in journey.top_up_invoices if number in ledgers.by_invoice]
    kept = sum(transaction["captured"] - transaction["refunded"] for transaction in paid)
    applied = [
        top_up
        for profile in ledgers.profiles
        if profile["iccid"] == journey.iccid
        for top_up in profile.get("topUps") or ()
    ]
    if journey.top_up is None or not paid:
        return []
    if len(applied) > 1:
        return [("I7", f"a top-up was applied {len(applied)} times")]
    if bool(applied) != bool(kept):
        return [("I1", f"a top-up: {kept} kept by the bank, applied {len(applied)} times")]
    return []


def _of_nobody(journeys: Sequence[Journey], ledgers: Ledgers) -> Iterator[Violation]:
    """Money, profiles and register calls that belong to no order."""
    invoices = {invoice for journey in journeys for invoice in [*journey.invoices, *journey.top_up_invoices]}
    for paid in ledgers.transactions:
        if paid["invoiceID"] not in invoices and paid["captured"]:
            yield Violation("I3", f"a capture of nobody's order: invoice {paid['invoiceID']}")
    # Whoever is erased before the mail was sent gets none: the order waits, and its profile with it.
    unsent = sum(
        (facts := facts_of(journey, ledgers)) is not None and journey.erased and not facts.codes for journey in journeys
    )
    shown = {code for journey in journeys if (facts := facts_of(journey, ledgers)) for code in facts.profiles}
    for code, profile in list(ledgers.by_code.items()):
        if code not in shown and profile["state"] not in ENDED:
            unsent -= 1
            if unsent >= 0:
                continue
            yield Violation("I4", f"profile {profile['iccid']} is {profile['state']} and in nobody's mail")
    for profile in ledgers.profiles:
        if not profile.get("matchingId") and profile["state"] not in ENDED:
            yield Violation("I4", f"profile {profile['iccid']} stays {profile['state']} for nobody")
    if ledgers.overlaps:
        yield Violation("receipts", f"{len(ledgers.overlaps)} requests for one cash register overlapped")
