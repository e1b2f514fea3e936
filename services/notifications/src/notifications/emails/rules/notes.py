"""What each fact makes us say: from an event to the sentences, figures and links of its mail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notifications.emails.models.content import Note
from notifications.emails.models.events import (
    ApproachingEnd,
    OpenedConfirmation,
    PaidOrderWithReceipt,
    RefundWithSettlement,
    TopUpWithReceipt,
)
from notifications.emails.rules.texts import Words, texts
from shared.contracts import (
    AppealReceived,
    ClaimReceived,
    Ground,
    InformationNeeded,
    OrderEvent,
    OrderHeld,
    OrderRefused,
    ReceiptIssued,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundSettled,
)

Rows = tuple[tuple[str, str], ...]
#: What a request can lack (docs/policies.md), as texts name it.
MISSING = ("order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence")


def _order(event: PaidOrderWithReceipt, words: Words) -> Note:
    plan, amount = event.plan.title, words.money(event.paid)
    return Note(
        "order",
        {"plan": plan, "amount": amount},
        ("lead", "next_top_up" if event.kind == "top_up" else "next"),
        rows=(("plan", plan), ("amount", amount), ("paid_at", words.minute(event.paid_at))),
        links=_links("receipt", event.receipt_url),
    )


def _delay(event: PaidOrderWithReceipt, words: Words) -> Note:
    return Note(
        "delay",
        {"plan": event.plan.title},
        ("lead", "next"),
        rows=(("plan", event.plan.title), ("paid_at", words.minute(event.paid_at))),
    )


def _receipt(event: ReceiptIssued, words: Words) -> Note:
    amount = words.money(event.amount)
    return Note(
        "receipt",
        {"amount": amount},
        ("lead_return" if event.kind == "sale_return" else "lead",),
        rows=(("amount", amount), ("check_number", event.check_number), ("issued_at", words.minute(event.issued_at))),
        links=_links("open", event.ticket_url),
    )


def _topup(event: TopUpWithReceipt, words: Words) -> Note:
    rows: Rows = (
        ("plan", event.plan.title),
        ("data", words.volume(event.plan.data_mb)),
        ("validity", words.days(event.plan.validity_days)),
        ("iccid", event.iccid),
    )
    if event.plan_ends_at is not None:
        rows += (("ends", words.day(event.plan_ends_at)),)
    return Note("topup", {"plan": event.plan.title}, ("lead",), rows=rows, links=_links("receipt", event.receipt_url))


def _refund(event: RefundWithSettlement, words: Words) -> Note:
    amount = words.money(event.amount)
    rows: Rows = (("amount", amount),)
    if event.settled is not None:
        rows += _window(event.settled, words)
    elif event.credited_by is not None:
        rows += (("expected", words.day(event.credited_by)),)
    return Note(
        "refund",
        {"amount": amount},
        ("when_settled" if event.settled is not None else "when",),
        said=(words.said(event.explanation),),
        rows=rows + _clauses(event.grounds),
    )


def _refused(event: RefundFailed, words: Words) -> Note:
    amount = words.money(event.left or event.amount)
    rows = (("amount", amount), ("refused_at", words.day(event.failed_at)))
    return Note("refused", {"amount": amount}, ("lead", "next", "you"), rows=rows)


def _paid_by_hand(event: RefundPaidByHand, words: Words) -> Note:
    amount, left = words.money(event.amount), words.money(event.left)
    return Note(
        "paid_by_hand",
        {"amount": amount, "left": left},
        ("lead", "not_there"),
        rows=(
            ("amount", amount),
            ("way", _way(event.way, words)),
            ("paid_at", words.day(event.paid_at)),
            ("left", left),
        ),
    )


def _way(way: str, words: Words) -> str:
    """How it was paid; a way that is not known here is "another way"."""
    t = texts(words.language)["paid_by_hand"]
    return t.get(f"way_{way}", t["way_other"])


def _settled(event: RefundSettled, words: Words) -> Note:
    amount = words.money(event.amount)
    if event.way is not None:
        rows = (
            ("amount", amount),
            ("way", _way(event.way, words)),
            ("settled_at", words.day(event.settled_at)),
        )
        return Note("settled_by_hand", {"amount": amount}, ("lead", "not_there"), rows=rows)
    return Note(
        "settled",
        {"amount": amount},
        ("lead", f"to_{event.method}", "not_there"),
        rows=(("amount", amount), ("settled_at", words.day(event.settled_at)), *_window(event, words)),
    )


def _window(event: RefundSettled, words: Words) -> Rows:
    """When the money arrives (RP 3, RC 3, RF 5.3): usually, and at the latest."""
    rows: Rows = ()
    if event.credited_from is not None:
        rows += (("credited_from", words.day(event.credited_from)),)
    if event.credited_by is not None:
        rows += (("credited_by", words.day(event.credited_by)),)
    if event.credited_at_latest is not None and event.credited_at_latest != event.credited_by:
        rows += (("credited_at_latest", words.day(event.credited_at_latest)),)
    return rows


def _information(event: InformationNeeded, words: Words) -> Note:
    return Note(
        "information",
        {},
        ("lead",),
        said=(words.said(event.explanation),),
        points=tuple(f"missing_{name}" for name in event.missing if name in MISSING),
        rows=_clauses(event.grounds),
    )


def _denied(event: RefundDenied, words: Words) -> Note:
    return Note("denied", {}, ("appeal",), said=(words.said(event.explanation),), rows=_clauses(event.grounds))


def _appeal(event: AppealReceived, words: Words) -> Note:
    rows: Rows = (("received_at", words.day(event.received_at)),)
    if event.answer_by is not None:
        rows += (("answer_by", words.day(event.answer_by)),)
    return Note("appeal", {}, ("lead",), rows=rows)


def _claim(event: ClaimReceived, words: Words) -> Note:
    rows = (("received_at", words.day(event.received_at)), ("answer_by", words.day(event.answer_by)))
    return Note("claim", {}, ("lead",), rows=rows)


def _nearing(section: str) -> Callable[[ApproachingEnd, Words], Note]:
    def note(event: ApproachingEnd, words: Words) -> Note:
        until = words.day(event.ends_at)
        return Note(
            section,
            {"plan": event.plan.title, "until": until},
            ("lead", "next"),
            rows=(("plan", event.plan.title), ("until", until)),
        )

    return note


def _what(event: OpenedConfirmation) -> str:
    return "what_unblock" if event.lifts else f"what_{event.purpose}"


def _code(event: OpenedConfirmation, words: Words) -> Note:
    until = words.minute(event.expires_at)
    return Note(
        "code",
        {"what": texts(words.language)["code"][_what(event)], "until": until},
        ("lead", "secret", "not_you"),
        rows=(("code", event.digits), ("until", until)),
    )


def code_in_short(event: OpenedConfirmation, storefront: str, words: Words) -> str:
    """The same as a text message."""
    t = texts(words.language)["code"]
    return t["sms"].format(
        code=event.digits,
        storefront=storefront,
        order_number=event.order_number,
        what=t[_what(event)],
        until=words.minute(event.expires_at),
    )


def _plain(section: str) -> Callable[[OrderEvent, Words], Note]:
    return lambda _event, _words: Note(section, {}, ("lead", "next"))


def _clauses(grounds: tuple[Ground, ...]) -> Rows:
    clauses = tuple(dict.fromkeys(f"{ground.document} {ground.clause}" for ground in grounds))
    return (("clauses", ", ".join(clauses)),) if clauses else ()


def _links(label: str, url: str | None) -> Rows:
    """A link that came from outside: only what a browser opens as a page."""
    return ((label, url),) if url is not None and url.startswith(("https://", "http://")) else ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mail: what it is made from, and what it says then."""

    fact: type[OrderEvent]
    write: Callable[[Any, Words], Note]


#: Every kind of mail without an activation code.
KINDS: Mapping[str, Kind] = {
    "order": Kind(PaidOrderWithReceipt, _order),
    "delay": Kind(PaidOrderWithReceipt, _delay),
    "receipt": Kind(ReceiptIssued, _receipt),
    "topup": Kind(TopUpWithReceipt, _topup),
    "refund": Kind(RefundWithSettlement, _refund),
    "settled": Kind(RefundSettled, _settled),
    "refused": Kind(RefundFailed, _refused),
    "paid_by_hand": Kind(RefundPaidByHand, _paid_by_hand),
    "information": Kind(InformationNeeded, _information),
    "denied": Kind(RefundDenied, _denied),
    "appeal": Kind(AppealReceived, _appeal),
    "claim": Kind(ClaimReceived, _claim),
    "expiring": Kind(ApproachingEnd, _nearing("expiring")),
    "ending": Kind(ApproachingEnd, _nearing("ending")),
    "held": Kind(OrderHeld, _plain("held")),
    "declined": Kind(OrderRefused, _plain("declined")),
    "code": Kind(OpenedConfirmation, _code),
}
