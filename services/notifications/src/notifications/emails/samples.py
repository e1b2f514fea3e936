"""Samples of emails: one about an activation code, and one about each kind of event.

The tests and the page for a seller's own reader (`mail_review.py`) render them.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from notifications.emails.models.content import ActivationCodeEmail, NoteEmail, Rendered, Storefront
from notifications.emails.models.events import (
    ApproachingEnd,
    OpenedConfirmation,
    PaidOrderWithReceipt,
    RefundWithSettlement,
    RequestedLink,
    TopUpWithReceipt,
)
from notifications.emails.rules.notes import KINDS, WITHOUT_LINK, with_links, with_words
from notifications.emails.rules.render import render_activation_code, render_note
from notifications.emails.rules.texts import LocaleFormat, written
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
    DataLow,
    Explanation,
    Ground,
    InformationNeeded,
    Money,
    OrderEvent,
    OrderHeld,
    OrderRefused,
    OrderReleased,
    PaymentLapsed,
    Plan,
    ProfileExpired,
    ReceiptIssued,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundSettled,
    RequestRegistered,
    SupportAnswered,
)
from shared.sealed import Sealed
from shared.values.activation_code import ActivationCode

_ID = UUID("01890000-0000-7000-8000-000000000001")
CODE = ActivationCode.parse("LPA:1$smdp.example$ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PLAN = Plan(id="eu", title="Europe 10 GB", coverage=("FR", "DE"), data_mb=10240, validity_days=30, profile_type="x")
_NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDER: Mapping[str, Any] = {
    "order_id": _ID,
    "order_number": "10000001",
    "storefront": "qazaq-esim",
    "buyer_id": _ID,
}
_PAID = PaidOrderWithReceipt(
    **ORDER,
    kind="esim",
    plan=_PLAN,
    paid=Money(amount=1500, currency="USD"),
    invoice_id="1000001",
    paid_at=_NOW,
    receipt_url="https://ofd.example/t/1",
)
_RECEIPT = ReceiptIssued(
    **ORDER,
    receipt_id=_ID,
    kind="sale",
    amount=Money(amount=1500, currency="USD"),
    check_number="FS-778",
    ticket_url="https://ofd.example/t/1",
    issued_at=_NOW,
)
_INFORMATION = InformationNeeded(
    **ORDER,
    case_id=_ID,
    missing=("full_name", "evidence"),
    policy="esimka@1",
    grounds=(Ground(document="RF", clause="4.3", text="x"),),
    explanation=Explanation(
        en="We lack something.", ru="Чего-то не хватает.", kk="Бірдеңе жетпейді.", ka="რაღაც აკლია."
    ),
    asked_at=_NOW,
)
_DENIED = RefundDenied(
    **ORDER,
    case_id=_ID,
    policy="esimka@1",
    grounds=(Ground(document="RF", clause="3.1", text="x"),),
    explanation=Explanation(
        en="It was activated.", ru="Она активирована.", kk="Ол белсендірілген.", ka="ის გააქტიურდა."
    ),
    denied_at=_NOW,
)
_TIMES = {"plan_ends_at": _NOW, "paid_at": _NOW, "applied_at": _NOW}
_TOPUP = TopUpWithReceipt(
    **ORDER, iccid="8999702000000000018", plan=_PLAN, operator="primary", esim_order_id=_ID, **_TIMES
)
_APPROVED = RefundWithSettlement(
    **ORDER,
    case_id=_ID,
    refund_id=_ID,
    amount=Money(amount=1299000, currency="KZT"),
    policy="qazaq-esim@1",
    grounds=(Ground(document="RP", clause="2.1", text="x"), Ground(document="PO", clause="5.4", text="y")),
    explanation=Explanation(
        en="It <could> not be made.", ru="Её не удалось <выпустить>.", kk="Ол <дайындалмады>.", ka="ის ვერ <დამზადდა>."
    ),
    approved_at=_NOW,
    credited_by=date(2026, 12, 20),
)
_SETTLED = RefundSettled(
    **ORDER,
    refund_id=_ID,
    amount=Money(amount=1299000, currency="KZT"),
    settled_at=_NOW,
    credited_from=date(2026, 11, 25),
    credited_by=date(2026, 12, 4),
    credited_at_latest=date(2026, 12, 20),
    method="card",
)
#: By kind of e-mail, what it is about.
SAMPLES: Mapping[str, OrderEvent] = {
    "order": _PAID,
    "delay": _PAID,
    "receipt": _RECEIPT,
    "topup": _TOPUP,
    "refund": _APPROVED,
    "settled": _SETTLED,
    "refused": RefundFailed(
        **ORDER,
        refund_id=_ID,
        amount=Money(amount=1500, currency="USD"),
        reason="the card is closed",
        failed_at=_NOW,
    ),
    "paid_by_hand": RefundPaidByHand(
        **ORDER,
        refund_id=_ID,
        payment_id=_ID,
        amount=Money(amount=1000, currency="USD"),
        way="bank_transfer",
        left=Money(amount=500, currency="USD"),
        paid_at=_NOW,
    ),
    "information": _INFORMATION,
    "denied": _DENIED,
    "appeal": AppealReceived(**ORDER, case_id=_ID, received_at=_NOW, answer_by=_NOW),
    "claim": ClaimReceived(**ORDER, claim_id=_ID, received_at=_NOW, answer_by=_NOW),
    "claim_answered": ClaimAnswered(
        **ORDER, claim_id=_ID, received_at=_NOW, answer_by=_NOW, answered_at=_NOW + timedelta(days=3)
    ),
    "answer": SupportAnswered(
        **ORDER, answer_id=_ID, words=Sealed(recipient="notifications", box="AAAA"), answered_at=_NOW
    ),
    "data_low": DataLow(
        **ORDER,
        iccid="8999702000000000018",
        plan=_PLAN,
        threshold_percent=80,
        used_bytes=8 * 2**30,
        total_bytes=10 * 2**30,
        observed_at=_NOW,
    ),
    "expiring": ApproachingEnd(**ORDER, plan=_PLAN, ends_at=_NOW),
    "ending": ApproachingEnd(**ORDER, plan=_PLAN, ends_at=_NOW),
    "link": RequestedLink(**ORDER),
    "registered": RequestRegistered(
        **ORDER,
        case_id=_ID,
        waits_for="support",
        received_at=_NOW,
        answer_by=_NOW,
        explanation=Explanation(
            en="Support checks it.",
            ru="Поддержка проверяет.",
            kk="Қолдау қызметі тексеріп жатыр.",
            ka="დახმარების სამსახური ამოწმებს.",
        ),
    ),
    "cancelled": CancellationAccepted(
        **ORDER,
        case_id=_ID,
        policy="e-sim-onl@1",
        grounds=(Ground(document="RC", clause="5", text="x"),),
        accepted_at=_NOW,
    ),
    "expired": ProfileExpired(**ORDER, iccid="8999702000000000018", reason="never_activated", expired_at=_NOW),
    "lapsed": PaymentLapsed(**ORDER, lapsed_at=_NOW),
    "released": OrderReleased(**ORDER, released_at=_NOW),
    "held": OrderHeld(**ORDER, rules=("orders_by_ip",), held_at=_NOW),
    "declined": OrderRefused(**ORDER, refused_at=_NOW),
    "code": OpenedConfirmation(
        **ORDER,
        confirmation_id=_ID,
        purpose="erase",
        channel="email",
        code=Sealed(recipient="notifications", box=""),
        expires_at=_NOW + timedelta(minutes=15),
        requested_at=_NOW,
        digits="048151",
    ),
}


def code_sample(store: Storefront, language: str, **fields: Any) -> Rendered:
    """The email with an activation code; `fields` are those of ActivationCodeEmail."""
    values: dict[str, Any] = {
        "name": "Ann",
        "plan": _PLAN,
        "code": CODE,
        "confirmation_code": None,
        "iccid": "8999702000000000018",
        "apn": "fast.t-m",
        "valid_until": date(2027, 5, 19),
    } | fields
    return render_activation_code(ActivationCodeEmail(store, language, values.pop("name"), "10000001", **values))


def note_sample(store: Storefront, kind: str, language: str, *, company: str | None = None, **changed: Any) -> Rendered:
    """The email of that kind about its sample; named fields of the event are replaced. `company`: the buyer (PO 1)."""
    note = KINDS[kind].write(
        SAMPLES[kind].model_copy(update=changed), LocaleFormat(written(language), ZoneInfo(store.time_zone))
    )
    note = with_links(note, kind, store, ORDER["order_id"])
    if kind == "answer":
        note = with_words(note, "…")
    account = None if kind in WITHOUT_LINK else "https://shop.example/account/x"
    return render_note(
        NoteEmail(store, language, "Ann", ORDER["order_number"], note=note, account=account, company=company)
    )
