"""Decides what each email without an activation code says: from an event to sentences, values and links."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from notifications.emails.models.content import Note, Storefront
from notifications.emails.models.events import (
    ApproachingEnd,
    OpenedConfirmation,
    PaidOrderWithReceipt,
    RefundWithSettlement,
    RequestedLink,
    TopUpWithReceipt,
)
from notifications.emails.rules.links import web_address
from notifications.emails.rules.texts import LocaleFormat, texts, traffic
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
    DataLow,
    Ground,
    InformationNeeded,
    OrderEvent,
    OrderHeld,
    OrderRefused,
    OrderReleased,
    PaymentLapsed,
    ProfileExpired,
    ReceiptIssued,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundSettled,
    RequestRegistered,
    SupportAnswered,
)

Rows = tuple[tuple[str, str], ...]
#: The threshold at which no data is left, in percent.
_WHOLE = 100
#: What a refund request can lack (docs/policies.md), as the texts name it.
MISSING = ("order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence")


def _order(event: PaidOrderWithReceipt, locale: LocaleFormat) -> Note:
    plan, amount = event.plan.title, locale.money(event.paid)
    return Note(
        "order",
        {"plan": plan, "amount": amount},
        ("lead", "next_top_up" if event.kind == "top_up" else "next"),
        rows=(("plan", plan), ("amount", amount), ("paid_at", locale.minute(event.paid_at))),
        links=_links("receipt", event.receipt_url),
    )


def _delay(event: PaidOrderWithReceipt, locale: LocaleFormat) -> Note:
    return Note(
        "delay",
        {"plan": event.plan.title},
        ("lead", "next"),
        rows=(("plan", event.plan.title), ("paid_at", locale.minute(event.paid_at))),
    )


def _receipt(event: ReceiptIssued, locale: LocaleFormat) -> Note:
    amount = locale.money(event.amount)
    return Note(
        "receipt",
        {"amount": amount},
        ("lead_return" if event.kind == "sale_return" else "lead",),
        rows=(("amount", amount), ("check_number", event.check_number), ("issued_at", locale.minute(event.issued_at))),
        links=_links("open", event.ticket_url),
    )


def _topup(event: TopUpWithReceipt, locale: LocaleFormat) -> Note:
    rows: Rows = (
        ("plan", event.plan.title),
        ("data", locale.volume(event.plan.data_mb)),
        ("validity", locale.days(event.plan.validity_days)),
        ("iccid", event.iccid),
    )
    if event.plan_ends_at is not None:
        rows += (("ends", locale.day(event.plan_ends_at)),)
    return Note("topup", {"plan": event.plan.title}, ("lead",), rows=rows, links=_links("receipt", event.receipt_url))


def _refund(event: RefundWithSettlement, locale: LocaleFormat) -> Note:
    amount = locale.money(event.amount)
    rows: Rows = (("amount", amount),)
    if event.settled is not None:
        rows += _window(event.settled, locale)
    elif event.credited_by is not None:
        rows += (("expected", locale.day(event.credited_by)),)
    return Note(
        "refund",
        {"amount": amount},
        ("when_settled" if event.settled is not None else "when",),
        explanations=(locale.explanation(event.explanation),),
        rows=rows + _clauses(event.grounds),
    )


def _refused(event: RefundFailed, locale: LocaleFormat) -> Note:
    amount = locale.money(event.left or event.amount)
    rows = (("amount", amount), ("refused_at", locale.day(event.failed_at)))
    return Note("refused", {"amount": amount}, ("lead", "next", "you"), rows=rows)


def _paid_by_hand(event: RefundPaidByHand, locale: LocaleFormat) -> Note:
    amount, left = locale.money(event.amount), locale.money(event.left)
    return Note(
        "paid_by_hand",
        {"amount": amount, "left": left},
        ("lead", "not_there"),
        rows=(
            ("amount", amount),
            ("way", _way(event.way, locale)),
            ("paid_at", locale.day(event.paid_at)),
            ("left", left),
        ),
    )


def _way(way: str, locale: LocaleFormat) -> str:
    """How a person paid. A way without a sentence of its own is "another way"."""
    t = texts(locale.language)["paid_by_hand"]
    return t.get(f"way_{way}", t["way_other"])


def _settled(event: RefundSettled, locale: LocaleFormat) -> Note:
    amount = locale.money(event.amount)
    if event.way is not None:
        rows = (
            ("amount", amount),
            ("way", _way(event.way, locale)),
            ("settled_at", locale.day(event.settled_at)),
        )
        return Note("settled_by_hand", {"amount": amount}, ("lead", "not_there"), rows=rows)
    return Note(
        "settled",
        {"amount": amount},
        ("lead", f"to_{event.method}", "not_there"),
        rows=(("amount", amount), ("settled_at", locale.day(event.settled_at)), *_window(event, locale)),
    )


def _window(event: RefundSettled, locale: LocaleFormat) -> Rows:
    """The rows that say when the money arrives (RP 3, RC 3, RF 5.3): usually, and at the latest."""
    rows: Rows = ()
    if event.credited_from is not None:
        rows += (("credited_from", locale.day(event.credited_from)),)
    if event.credited_by is not None:
        rows += (("credited_by", locale.day(event.credited_by)),)
    if event.credited_at_latest is not None and event.credited_at_latest != event.credited_by:
        rows += (("credited_at_latest", locale.day(event.credited_at_latest)),)
    return rows


def _information(event: InformationNeeded, locale: LocaleFormat) -> Note:
    return Note(
        "information",
        {},
        ("lead",),
        explanations=(locale.explanation(event.explanation),),
        points=tuple(f"missing_{name}" for name in event.missing if name in MISSING),
        rows=_clauses(event.grounds),
    )


def _registered(event: RequestRegistered, locale: LocaleFormat) -> Note:
    return Note(
        "registered",
        {},
        ("next",),
        explanations=(locale.explanation(event.explanation),),
        rows=(("received_at", locale.day(event.received_at)), ("answer_by", locale.day(event.answer_by))),
    )


def _cancelled(event: CancellationAccepted, locale: LocaleFormat) -> Note:
    rows: Rows = (("accepted_at", locale.day(event.accepted_at)),)
    return Note("cancelled", {}, ("lead", "next"), rows=rows + _clauses(event.grounds))


def _expired(event: ProfileExpired, locale: LocaleFormat) -> Note:
    rows = (("expired_at", locale.day(event.expired_at)), ("iccid", event.iccid))
    return Note("expired", {}, (event.reason, "next"), rows=rows)


def _denied(event: RefundDenied, locale: LocaleFormat) -> Note:
    return Note(
        "denied", {}, ("appeal",), explanations=(locale.explanation(event.explanation),), rows=_clauses(event.grounds)
    )


def _appeal(event: AppealReceived, locale: LocaleFormat) -> Note:
    rows: Rows = (("received_at", locale.day(event.received_at)),)
    if event.answer_by is not None:
        rows += (("answer_by", locale.day(event.answer_by)),)
    return Note("appeal", {}, ("lead",), rows=rows)


def _claim(event: ClaimReceived, locale: LocaleFormat) -> Note:
    rows = (("received_at", locale.day(event.received_at)), ("answer_by", locale.day(event.answer_by)))
    return Note("claim", {}, ("lead",), rows=rows)


def _claim_answered(event: ClaimAnswered, locale: LocaleFormat) -> Note:
    rows = (("received_at", locale.day(event.received_at)), ("answered_at", locale.day(event.answered_at)))
    return Note("claim_answered", {}, ("lead", "next"), rows=rows)


def _answer(_event: SupportAnswered, _locale: LocaleFormat) -> Note:
    """The agent's words come before these (`with_words`)."""
    return Note("answer", {}, ("reply",))


def with_words(note: Note, words: str) -> Note:
    """A note with what an agent wrote, before its own sentences; an empty line parts two paragraphs."""
    paragraphs = tuple(stripped for part in words.split("\n\n") if (stripped := part.strip()))
    return replace(note, explanations=(*note.explanations, *paragraphs))


def with_links(note: Note, kind: str, store: Storefront, order_id: UUID) -> Note:
    """A note with the link into the shop that its kind of email needs, if the shop has that page.

    A released order can be paid, on the shop's page for it. A lapsed one cannot: payments opens no attempt of it.
    """
    links: Rows = ()
    if kind == "released":
        links = _links("pay", store.payment_page and store.payment_page.format(order_id=order_id))
    elif kind == "lapsed":
        links = _links("shop", store.site)
    return replace(note, links=(*note.links, *links))


def _approaching_end(section: str) -> Callable[[ApproachingEnd, LocaleFormat], Note]:
    def note(event: ApproachingEnd, locale: LocaleFormat) -> Note:
        until = locale.day(event.ends_at)
        return Note(
            section,
            {"plan": event.plan.title, "until": until},
            ("lead", "next"),
            rows=(("plan", event.plan.title), ("until", until)),
        )

    return note


def _data_low(event: DataLow, locale: LocaleFormat) -> Note:
    used, total = traffic(event.used_bytes, locale.language), traffic(event.total_bytes, locale.language)
    over = event.threshold_percent == _WHOLE
    return Note(
        "data_over" if over else "data_low",
        {"plan": event.plan.title, "used": used, "total": total, "percent": str(event.threshold_percent)},
        ("lead", "next"),
        rows=(("plan", event.plan.title), ("used", used), ("total", total), ("iccid", event.iccid)),
    )


def _purpose(event: OpenedConfirmation) -> str:
    return "what_unblock" if event.lifts else f"what_{event.purpose}"


def _code(event: OpenedConfirmation, locale: LocaleFormat) -> Note:
    until = locale.minute(event.expires_at)
    return Note(
        "code",
        {"what": texts(locale.language)["code"][_purpose(event)], "until": until},
        ("lead", "secret", "not_you"),
        rows=(("code", event.digits), ("until", until)),
    )


def sms_text(event: OpenedConfirmation, storefront: str, locale: LocaleFormat) -> str:
    """The confirmation code as a text message."""
    t = texts(locale.language)["code"]
    return t["sms"].format(
        code=event.digits,
        storefront=storefront,
        order_number=event.order_number,
        what=t[_purpose(event)],
        until=locale.minute(event.expires_at),
    )


def _plain(section: str) -> Callable[[OrderEvent, LocaleFormat], Note]:
    return lambda _event, _locale: Note(section, {}, ("lead", "next"))


def _clauses(grounds: tuple[Ground, ...]) -> Rows:
    clauses = tuple(dict.fromkeys(f"{ground.document} {ground.clause}" for ground in grounds))
    return (("clauses", ", ".join(clauses)),) if clauses else ()


def _links(label: str, url: str | None) -> Rows:
    """A row for a link of another system, if it is an HTTP address."""
    address = web_address(url)
    return () if address is None else ((label, address),)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of email: the class of its event, and the function that writes its content."""

    event: type[OrderEvent]
    write: Callable[[Any, LocaleFormat], Note]


#: Kinds that name the legal person that the order is for (PO 1): those about the payment and its receipt.
WITH_COMPANY = frozenset({"order", "receipt"})
#: Emails without a link to the order's page: an order that is not paid has no page, and a code is sent alone.
WITHOUT_LINK = frozenset({"held", "released", "declined", "lapsed", "code"})
#: Every kind of email without an activation code.
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
    "claim_answered": Kind(ClaimAnswered, _claim_answered),
    "answer": Kind(SupportAnswered, _answer),
    "data_low": Kind(DataLow, _data_low),
    "expiring": Kind(ApproachingEnd, _approaching_end("expiring")),
    "ending": Kind(ApproachingEnd, _approaching_end("ending")),
    "registered": Kind(RequestRegistered, _registered),
    "cancelled": Kind(CancellationAccepted, _cancelled),
    "expired": Kind(ProfileExpired, _expired),
    "lapsed": Kind(PaymentLapsed, _plain("lapsed")),
    "held": Kind(OrderHeld, _plain("held")),
    "released": Kind(OrderReleased, _plain("released")),
    "declined": Kind(OrderRefused, _plain("declined")),
    "link": Kind(RequestedLink, _plain("link")),
    "code": Kind(OpenedConfirmation, _code),
}
