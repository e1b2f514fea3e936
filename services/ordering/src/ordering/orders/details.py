"""HTTP answer about one order: what is known of its payment, its delivery, its eSIM and its refunds.

Everything follows from recorded facts. What nobody reported is null or `unknown`, never "no" or zero (I15).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from ordering.orders.models import Extras, KnownEsim
from ordering.orders.refunds_view import RefundCase, RefundView, refund_cases, refunds
from ordering.timeline import OrderView
from ordering.timeline.models import AccountPages, Fact, PlacedOrder, RecordedFact
from shared.contracts import InstallState, Money
from shared.telemetry.trace_links import TraceLinks

_TIME = "2026-11-21T09:30:41Z"
Moment = Annotated[datetime | None, Field(examples=[_TIME])]


class FailedPayment(BaseModel):
    """An attempt to pay that the bank refused."""

    at: Annotated[datetime, Field(examples=[_TIME])]
    reason_code: Annotated[int | None, Field(description="the bank's code", examples=[484])]


class Receipt(BaseModel):
    """A fiscal receipt. `kind`: `sale` or `sale_return`."""

    kind: Annotated[str | None, Field(examples=["sale"])]
    issued_at: Annotated[datetime, Field(examples=[_TIME])]
    url: Annotated[str | None, Field(description="where it can be read", examples=["https://ofd.example/t/1"])]


class SurplusCharge(BaseModel):
    """A second payment for the same order, which goes back (RF 2.4)."""

    at: Annotated[datetime, Field(examples=[_TIME])]
    amount: Money


class PaymentView(BaseModel):
    """The order's own payment. `unpaid`: no payment was reported yet."""

    state: Annotated[Literal["unpaid", "failed", "lapsed", "paid"], Field(examples=["paid"])]
    paid_at: Moment
    failures: list[FailedPayment]
    receipts: list[Receipt]
    surplus: list[SurplusCharge]


class FailedDelivery(BaseModel):
    """A mailbox that refused the code."""

    at: Annotated[datetime, Field(examples=[_TIME])]
    smtp_code: Annotated[int | None, Field(examples=[550])]


class DeliveryView(BaseModel):
    """What the buyer got: the QR code (PO 3.4), or the data of a top-up.

    `failed`: the operator made nothing, or the mailbox refused the code and nobody has opened the account page yet.
    """

    state: Annotated[Literal["pending", "delivered", "failed"], Field(examples=["delivered"])]
    delivered_at: Moment
    channel: Annotated[
        Literal["email", "account", "operator"] | None,
        Field(description="`operator`: a top-up was applied to the eSIM", examples=["email"]),
    ]
    failures: list[FailedDelivery]


class EsimView(BaseModel):
    """The eSIM of the order, or the one that a top-up extends. Times are those of the reports, not of reading them."""

    iccid: Annotated[str, Field(examples=["8999999999999999999"])]
    state: Annotated[InstallState, Field(description="`unknown`: no source has reported", examples=["installed"])]
    state_observed_at: Moment
    used_bytes: Annotated[int | None, Field(description="null: unknown, never zero", examples=[1073741824])]
    total_bytes: Annotated[int | None, Field(examples=[5368709120])]
    usage_observed_at: Moment
    usage_age_seconds: Annotated[
        int | None, Field(description="between the report and this answer; null: no report", examples=[1260])
    ]
    valid_until: Annotated[
        datetime | None, Field(description="to be activated by then (RC 7)", examples=["2027-05-20T18:59:59Z"])
    ]
    plan_ends_at: Annotated[
        datetime | None, Field(description="once its validity has begun", examples=["2026-12-22T09:40:00Z"])
    ]
    installed_at: Moment
    activated_at: Moment
    deleted_at: Annotated[datetime | None, Field(examples=[None])]
    revoked_at: Annotated[datetime | None, Field(examples=[None])]
    expired_at: Annotated[datetime | None, Field(examples=[None])]


class OrderDetails(OrderView):
    """An order now, with all that is known of it. `esim` is null until one is known."""

    submission_id: Annotated[
        str | None, Field(description="the idempotency key that you placed it with", examples=["cart-8312"])
    ]
    placed_at: Annotated[datetime, Field(examples=["2026-11-21T09:30:00Z"])]
    payment: PaymentView
    delivery: DeliveryView
    esim: EsimView | None
    refund_cases: list[RefundCase]
    refunds: list[RefundView]

    @classmethod
    def complete(
        cls,
        placed: PlacedOrder,
        facts: Sequence[RecordedFact],
        extras: Extras,
        now: datetime,
        trace_links: TraceLinks,
        accounts: AccountPages,
    ) -> Self:
        """The order with everything that follows from its facts."""
        view = OrderView.at_present(placed, facts, trace_links, accounts)
        return cls(
            **dict(view),
            submission_id=extras.submission_id,
            placed_at=placed.placed_at.astimezone(UTC),
            payment=_payment(facts),
            delivery=_delivery(facts),
            esim=None if extras.esim is None else _esim(extras.esim, facts, now),
            refund_cases=refund_cases(facts),
            refunds=refunds(facts),
        )


def _of(facts: Iterable[RecordedFact], *kinds: Fact) -> list[RecordedFact]:
    """The facts of these kinds, the earliest first."""
    return sorted((fact for fact in facts if fact.fact in kinds), key=lambda fact: (fact.at, fact.ref))


def _first(facts: Iterable[RecordedFact], *kinds: Fact) -> datetime | None:
    return next((fact.at.astimezone(UTC) for fact in _of(facts, *kinds)), None)


def _payment(facts: Sequence[RecordedFact]) -> PaymentView:
    paid_at = _first(facts, Fact.ORDER_PAID)
    failures = _of(facts, Fact.PAYMENT_FAILED)
    state: Literal["unpaid", "failed", "lapsed", "paid"] = "unpaid"
    if paid_at is not None:
        state = "paid"
    elif _of(facts, Fact.PAYMENT_LAPSED):
        state = "lapsed"
    elif failures:
        state = "failed"
    return PaymentView(
        state=state,
        paid_at=paid_at,
        failures=[FailedPayment(at=fact.at, reason_code=fact.detail.get("reason_code")) for fact in failures],
        receipts=[
            Receipt(kind=fact.detail.get("kind"), issued_at=fact.at, url=fact.detail.get("link"))
            for fact in _of(facts, Fact.RECEIPT_ISSUED)
        ],
        surplus=[
            SurplusCharge(at=fact.at, amount=Money(amount=fact.detail["amount"], currency=fact.detail["currency"]))
            for fact in _of(facts, Fact.DUPLICATE_CHARGED)
        ],
    )


def _delivery(facts: Sequence[RecordedFact]) -> DeliveryView:
    delivered = next(iter(_of(facts, Fact.QR_DELIVERED, Fact.TOP_UP_APPLIED)), None)
    failures = _of(facts, Fact.DELIVERY_FAILED)
    state: Literal["pending", "delivered", "failed"] = "pending"
    channel: Literal["email", "account", "operator"] | None = None
    if delivered is not None:
        state = "delivered"
        if delivered.fact is Fact.TOP_UP_APPLIED:
            channel = "operator"
        else:
            channel = "account" if delivered.detail.get("channel") == "account" else "email"
    elif failures or _of(facts, Fact.PROFILE_FAILED, Fact.TOP_UP_FAILED):
        state = "failed"
    return DeliveryView(
        state=state,
        delivered_at=None if delivered is None else delivered.at.astimezone(UTC),
        channel=channel,
        failures=[FailedDelivery(at=fact.at, smtp_code=fact.detail.get("smtp_code")) for fact in failures],
    )


def _esim(esim: KnownEsim, facts: Sequence[RecordedFact], now: datetime) -> EsimView:
    seen = esim.observation
    return EsimView(
        iccid=esim.iccid,
        state=seen.install_state or "unknown",
        state_observed_at=seen.install_observed_at,
        used_bytes=seen.used_bytes,
        total_bytes=seen.total_bytes,
        usage_observed_at=seen.usage_observed_at,
        usage_age_seconds=None
        if seen.usage_observed_at is None
        else max(0, int((now - seen.usage_observed_at).total_seconds())),
        valid_until=esim.valid_until,
        plan_ends_at=seen.plan_ends_at,
        installed_at=_first(facts, Fact.PROFILE_INSTALLED),
        activated_at=_first(facts, Fact.PROFILE_ACTIVATED),
        deleted_at=esim.deleted_at,
        revoked_at=esim.revoked_at,
        expired_at=esim.expired_at,
    )
