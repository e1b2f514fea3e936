"""Sample e-mails: one about an activation code, and one about each kind of event."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifications.emails.models.content import ActivationCodeEmail, NoteEmail, Rendered
from notifications.emails.models.events import (
    ApproachingEnd,
    OpenedConfirmation,
    PaidOrderWithReceipt,
    RefundWithSettlement,
    RequestedLink,
    TopUpWithReceipt,
)
from notifications.emails.rules.notes import KINDS, with_links
from notifications.emails.rules.render import render_activation_code, render_note
from notifications.emails.rules.texts import LocaleFormat, written
from notifications.storefronts import Storefronts
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
from shared.ids import uuid7
from shared.sealed import Sealed
from shared.shops.files import ShopFiles
from shared.testing.shops import EXAMPLES
from shared.values.activation_code import ActivationCode

STORES = Storefronts(ShopFiles(EXAMPLES))
CODE = ActivationCode.parse("LPA:1$smdp.example$ABCDEFGHIJKLMNOPQRSTUVWXYZ")
PLAN = Plan(id="eu", title="Europe 10 GB", coverage=("FR", "DE"), data_mb=10240, validity_days=30, profile_type="x")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "order_id": uuid7(),
    "order_number": "10000001",
    "storefront": "qazaq-esim",
    "buyer_id": uuid7(),
}
PAID = PaidOrderWithReceipt(
    **ORDER,
    kind="esim",
    plan=PLAN,
    paid=Money(amount=1500, currency="USD"),
    invoice_id="1000001",
    paid_at=NOW,
    receipt_url="https://ofd.example/t/1",
)
RECEIPT = ReceiptIssued(
    **ORDER,
    receipt_id=uuid7(),
    kind="sale",
    amount=Money(amount=1500, currency="USD"),
    check_number="FS-778",
    ticket_url="https://ofd.example/t/1",
    issued_at=NOW,
)
INFORMATION = InformationNeeded(
    **ORDER,
    case_id=uuid7(),
    missing=("full_name", "evidence"),
    policy="esimka@1",
    grounds=(Ground(document="RF", clause="4.3", text="x"),),
    explanation=Explanation(en="We lack something.", ru="Чего-то не хватает."),
    asked_at=NOW,
)
DENIED = RefundDenied(
    **ORDER,
    case_id=uuid7(),
    policy="esimka@1",
    grounds=(Ground(document="RF", clause="3.1", text="x"),),
    explanation=Explanation(en="It was activated.", ru="Она активирована."),
    denied_at=NOW,
)
TIMES = {"plan_ends_at": NOW, "paid_at": NOW, "applied_at": NOW}
TOPUP = TopUpWithReceipt(
    **ORDER, iccid="8999702000000000018", plan=PLAN, operator="primary", esim_order_id=uuid7(), **TIMES
)
APPROVED = RefundWithSettlement(
    **ORDER,
    case_id=uuid7(),
    refund_id=uuid7(),
    amount=Money(amount=1299000, currency="KZT"),
    policy="qazaq-esim@1",
    grounds=(Ground(document="RP", clause="2.1", text="x"), Ground(document="PO", clause="5.4", text="y")),
    explanation=Explanation(en="It <could> not be made.", ru="Её не удалось <выпустить>."),
    approved_at=NOW,
    credited_by=date(2026, 12, 20),
)
SETTLED = RefundSettled(
    **ORDER,
    refund_id=uuid7(),
    amount=Money(amount=1299000, currency="KZT"),
    settled_at=NOW,
    credited_from=date(2026, 11, 25),
    credited_by=date(2026, 12, 4),
    credited_at_latest=date(2026, 12, 20),
    method="card",
)
#: By kind of e-mail, what it is about.
EVENTS: dict[str, OrderEvent] = {
    "order": PAID,
    "delay": PAID,
    "receipt": RECEIPT,
    "topup": TOPUP,
    "refund": APPROVED,
    "settled": SETTLED,
    "refused": RefundFailed(
        **ORDER,
        refund_id=uuid7(),
        amount=Money(amount=1500, currency="USD"),
        reason="the card is closed",
        failed_at=NOW,
    ),
    "paid_by_hand": RefundPaidByHand(
        **ORDER,
        refund_id=uuid7(),
        payment_id=uuid7(),
        amount=Money(amount=1000, currency="USD"),
        way="bank_transfer",
        left=Money(amount=500, currency="USD"),
        paid_at=NOW,
    ),
    "information": INFORMATION,
    "denied": DENIED,
    "appeal": AppealReceived(**ORDER, case_id=uuid7(), received_at=NOW, answer_by=NOW),
    "claim": ClaimReceived(**ORDER, claim_id=uuid7(), received_at=NOW, answer_by=NOW),
    "claim_answered": ClaimAnswered(
        **ORDER, claim_id=uuid7(), received_at=NOW, answer_by=NOW, answered_at=NOW + timedelta(days=3)
    ),
    "answer": SupportAnswered(
        **ORDER, answer_id=uuid7(), words=Sealed(recipient="notifications", box="AAAA"), answered_at=NOW
    ),
    "data_low": DataLow(
        **ORDER,
        iccid="8999702000000000018",
        plan=PLAN,
        threshold_percent=80,
        used_bytes=8 * 2**30,
        total_bytes=10 * 2**30,
        observed_at=NOW,
    ),
    "expiring": ApproachingEnd(**ORDER, plan=PLAN, ends_at=NOW),
    "ending": ApproachingEnd(**ORDER, plan=PLAN, ends_at=NOW),
    "link": RequestedLink(**ORDER),
    "registered": RequestRegistered(
        **ORDER,
        case_id=uuid7(),
        waits_for="support",
        received_at=NOW,
        answer_by=NOW,
        explanation=Explanation(en="Support checks it.", ru="Поддержка проверяет."),
    ),
    "cancelled": CancellationAccepted(
        **ORDER,
        case_id=uuid7(),
        policy="e-sim-onl@1",
        grounds=(Ground(document="RC", clause="5", text="x"),),
        accepted_at=NOW,
    ),
    "expired": ProfileExpired(**ORDER, iccid="8999702000000000018", reason="never_activated", expired_at=NOW),
    "lapsed": PaymentLapsed(**ORDER, lapsed_at=NOW),
    "released": OrderReleased(**ORDER, released_at=NOW),
    "held": OrderHeld(**ORDER, rules=("orders_by_ip",), held_at=NOW),
    "declined": OrderRefused(**ORDER, refused_at=NOW),
    "code": OpenedConfirmation(
        **ORDER,
        confirmation_id=uuid7(),
        purpose="erase",
        channel="email",
        code=Sealed(recipient="notifications", box=""),
        expires_at=NOW + timedelta(minutes=15),
        requested_at=NOW,
        digits="048151",
    ),
}


@pytest.fixture
def activation_code() -> ActivationCode:
    """The code in `code_email`."""
    return CODE


@pytest.fixture
def code_email() -> Callable[..., Rendered]:
    """Renders an e-mail with an activation code: by storefront, language, and fields of ActivationCodeEmail."""

    def render(slug: str = "esimka", language: str = "en", **fields: Any) -> Rendered:
        values: dict[str, Any] = {
            "plan": PLAN,
            "code": CODE,
            "confirmation_code": None,
            "iccid": "8999702000000000018",
            "apn": "fast.t-m",
            "valid_until": date(2027, 5, 19),
        } | fields
        return render_activation_code(
            ActivationCodeEmail(STORES[slug], language, values.pop("name", "Ann"), "10000001", **values)
        )

    return render


@pytest.fixture
def events() -> dict[str, OrderEvent]:
    """By kind of e-mail: the event that it is about."""
    return dict(EVENTS)


@pytest.fixture
def event_email() -> Callable[..., Rendered]:
    """Renders the e-mail of that kind about its event; named fields of the event, and of the shop, are replaced."""

    def render(kind: str, language: str = "en", **changed: Any) -> Rendered:
        store = replace(STORES["qazaq-esim"], **changed.pop("store", {}))
        words = LocaleFormat(written(language), ZoneInfo(store.time_zone))
        note = KINDS[kind].write(EVENTS[kind].model_copy(update=changed), words)
        note = with_links(note, kind, store, ORDER["order_id"])
        account = "https://shop.example/account/x"
        return render_note(NoteEmail(store, language, "Ann", "10000001", note=note, account=account))

    return render
