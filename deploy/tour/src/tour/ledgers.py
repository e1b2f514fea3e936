"""Judging by the books of those outside: the bank's, the operator's, the mail server's. Pure functions.

Each check returns findings, one sentence for each thing that is not as it must be; none when all is well.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tour import codes
from tour.emails import Email
from tour.orders import Order, Paid

Entry = Mapping[str, Any]
#: States in which a profile may be downloaded; the operator has confirmed it (SGP.22 section 5.3.2).
CONFIRMED = frozenset({"confirmed", "released"})
#: OperationType of a receipt (docs/wire/webkassa.md).
SALE, SALE_RETURN = 2, 3


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledgers hold at one moment; `since` leaves out what was there before."""

    transactions: Sequence[Entry]
    profiles: Sequence[Entry]
    mails: Sequence[Entry]

    def since(self, earlier: "Books") -> "Books":
        """Only what is not in the earlier books."""
        return Books(
            _new(self.transactions, earlier.transactions, "id"),
            _new(self.profiles, earlier.profiles, "iccid"),
            _new(self.mails, earlier.mails, "id"),
        )

    @property
    def captures(self) -> int:
        """Transactions in which money was taken."""
        return sum(1 for one in self.transactions if one["captured"])

    @property
    def confirmed(self) -> int:
        """Profiles that a phone could download."""
        return sum(1 for one in self.profiles if one["state"] in CONFIRMED)

    @property
    def different_mails(self) -> int:
        """Mails, each Message-ID counted once."""
        return len({one["message_id"] for one in self.mails})

    @property
    def repeated_mails(self) -> int:
        """Mails that came again: SMTP has no idempotency key, so a lost reply may cost a second copy."""
        return len(self.mails) - self.different_mails


def one_capture_each(books: Books, paid: Sequence[Paid]) -> list[str]:
    """The bank took each order's price once, and nothing else."""
    by_invoice = {one.invoice_id: one.order for one in paid}
    findings = []
    times: Counter[str] = Counter()
    for transaction in books.transactions:
        order = by_invoice.get(transaction["invoiceID"])
        if order is None:
            findings.append(f"the bank has a payment of nobody's order (invoice {transaction['invoiceID']})")
        elif transaction["captured"]:
            times[order.number] += 1
            if transaction["captured"] != order.price.amount or transaction["currency"] != order.price.currency:
                findings.append(f"order {order.number} costs {order.price}, the bank took another amount")
    return findings + _exactly_once(times, paid, "was captured at the bank")


def nothing_returned(books: Books) -> list[str]:
    """No money went back."""
    return [f"the bank returned money for invoice {one['invoiceID']}" for one in books.transactions if one["refunded"]]


def all_returned(books: Books, paid: Sequence[Paid]) -> list[str]:
    """Each order's whole price went back, in one refund."""
    by_invoice = {one["invoiceID"]: one for one in books.transactions}
    findings = []
    for one in paid:
        transaction = by_invoice.get(one.invoice_id)
        if transaction is None or transaction["refunded"] != transaction["captured"]:
            findings.append(f"the bank has not returned the whole price of order {one.order.number}")
        elif len(transaction["refunds"]) != 1:
            findings.append(f"the bank returned the price of order {one.order.number} in {len(transaction['refunds'])}")
    return findings


def same_money(ledger: Mapping[str, Any], books: Books, order: Order) -> list[str]:
    """Our ledger of an order says what the bank's says: the price taken once and returned once, and nothing is left."""
    price = order.price.amount
    taken = sum(one["captured"] for one in books.transactions)
    back = [refund["amount"] for one in books.transactions for refund in one["refunds"]]
    findings = []
    if (ledger["paid_in"], ledger["paid_out"]) != (taken, sum(back)):
        findings.append(f"order {order.number}: our ledger and the bank's do not agree")
    if taken != price or back != [price]:
        findings.append(f"order {order.number}: the bank took {taken} and returned {back}, the price is {price}")
    left = {account: amount for account, amount in ledger["balances"].items() if amount}
    if left:
        findings.append(f"order {order.number}: {', '.join(left)} should be empty")
    return findings


def one_receipt_each(receipts: Sequence[Entry], orders: Sequence[Order]) -> list[str]:
    """The cash register issued one receipt of the whole price for each of these orders, and nothing else for them."""
    written: dict[str, list[tuple[int, int]]] = {}
    for one in receipts:
        written.setdefault(one["externalOrderNumber"], []).append((one["operationType"], one["total"]))
    return [
        f"order {order.number} should have one receipt of {order.price}"
        for order in orders
        if written.get(order.number) != [(SALE, order.price.amount)]
    ]


def receipt_and_return(receipts: Sequence[Entry], order: Order) -> list[str]:
    """One receipt of the whole price, and one return receipt of the whole price that names it."""
    price = order.price.amount
    kinds = [(one["operationType"], one["total"]) for one in receipts]
    if kinds != [(SALE, price), (SALE_RETURN, price)]:
        return [f"order {order.number} should have one receipt and one return receipt, each of {order.price}"]
    sale, back = receipts
    if back["basisCheckNumber"] != sale["checkNumber"]:
        return [f"the return receipt of order {order.number} does not name its receipt"]
    return []


def one_profile_each(books: Books, paid: Sequence[Paid], emails: Iterable[Email]) -> list[str]:
    """The code in each order's mail leads to one confirmed profile, and the operator made no other."""
    confirmed = {one["matchingId"]: one for one in books.profiles if one["state"] in CONFIRMED}
    by_address = {one.order.buyer.email: one.order for one in paid}
    owners: dict[str, set[str]] = {}
    findings = []
    times: Counter[str] = Counter()
    for email in emails:
        order = by_address.get(email.to)
        key = codes.matching_id(email.code or "")
        if order is None or key not in confirmed:
            findings.append(f"the code in mail {email.id} leads to no profile that the operator confirmed")
        elif order.number not in owners.setdefault(key, set()):
            owners[key].add(order.number)
            times[order.number] += 1
    findings += ["two orders got the same profile" for orders in owners.values() if len(orders) > 1]
    unused = set(confirmed) - set(owners)
    findings += [f"the operator confirmed profile {confirmed[key]['iccid']} for nobody" for key in sorted(unused)]
    reserved = [one["iccid"] for one in books.profiles if one["state"] == "reserved"]
    findings += [f"profile {iccid} stays reserved at the operator for nobody" for iccid in reserved]
    return findings + _exactly_once(times, paid, "has a profile at the operator")


def no_profile(books: Books) -> list[str]:
    """The operator made nothing that a phone could download."""
    return [f"the operator has profile {one['iccid']}" for one in books.profiles if one["state"] in CONFIRMED]


def one_mail_each(books: Books, paid: Sequence[Paid]) -> list[str]:
    """Each buyer got one mail; the same mail again (one Message-ID) is counted apart, by `repeated_mails`."""
    by_address = {one.order.buyer.email: one.order.number for one in paid}
    findings = []
    times: Counter[str] = Counter()
    for to in {one["message_id"]: one["to"][0] for one in books.mails}.values():
        if to in by_address:
            times[by_address[to]] += 1
        else:
            findings.append("a mail went to somebody who ordered nothing")
    return findings + _exactly_once(times, paid, "has a mail")


def _exactly_once(times: Counter[str], paid: Sequence[Paid], what: str) -> list[str]:
    """A finding for each order whose count is not one."""
    counts = {one.order.number: times[one.order.number] for one in paid}
    return [f"order {number} {what} {count} times" for number, count in counts.items() if count != 1]


def _new(entries: Sequence[Entry], earlier: Sequence[Entry], key: str) -> list[Entry]:
    known = {one[key] for one in earlier}
    return [one for one in entries if one[key] not in known]
