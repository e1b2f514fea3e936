"""What is sent and answered about refunds: requests, cases with their decisions, and what a buyer can expect."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from esim_fulfilment.models import Answered, Money, Sent

RefundReason = Literal[
    "technical_failure",
    "changed_mind",
    "incompatible_device",
    "sim_locked",
    "deleted_profile",
    "phone_settings",
    "no_coverage",
    "slow_data",
    "not_delivered",
    "double_charge",
    "scan_error",
    "lost_code",
    "other",
]
RefundChannel = Literal["email", "chat", "whatsapp", "telegram", "account", "form"]


class RefundRequest(Sent):
    """A buyer's request for a refund.

    Which fields a shop's policy requires differs; the case names what is missing (`information_needed`). E-mail and
    phone are compared with the order's own and forgotten.
    """

    reason: RefundReason
    channel: RefundChannel = "form"
    full_name: str | None = Field(None, repr=False)
    email: str | None = Field(None, repr=False)
    phone: str | None = Field(None, repr=False)
    payment_date: date | None = None
    circumstances: str | None = Field(None, repr=False)
    evidence: tuple[str, ...] = Field((), repr=False)


class Ground(Answered):
    """A clause of the seller's documents that decided."""

    document: str
    clause: str
    text: str


class Explanation(Answered):
    """A decision in words for the buyer."""

    en: str
    ru: str
    #: None in decisions that were made before the seller wrote in these languages.
    kk: str | None = None
    ka: str | None = None


class Decision(Answered):
    """What the policy decided: `approve`, `deny`, or what the case waits for (`await_…`). `missing`: fields to send."""

    verdict: str
    grounds: tuple[Ground, ...] = ()
    explanation: Explanation
    amount: Money | None = None
    missing: tuple[str, ...] = ()
    credited_by: date | None = None


class RefundCase(Answered):
    """A refund case. A case without a decision waits for a person."""

    case_id: str
    state: str
    reason: str | None = None
    decision: Decision | None = None


class Prospect(Answered):
    """Today's decision on a complete request with this reason: `approve`, `deny`, or what it would wait for."""

    reason: str
    verdict: str
    grounds: tuple[Ground, ...] = ()
    explanation: Explanation
    until: datetime | None = None


class Eligibility(Answered):
    """What a buyer can expect before asking for a refund. `status`: `open`, `refunded` or `not_paid`."""

    order_number: str
    status: str
    answers: tuple[Prospect, ...] = ()
