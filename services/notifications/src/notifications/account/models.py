"""Values of the account page: the order behind a link, and what the page shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from notifications.emails import LocaleFormat, Storefront
from shared.contracts import Language
from shared.values.activation_code import ActivationCode

#: How an order stands; each has a headline in the texts.
OrderStatus = Literal[
    "working",
    "topping_up",
    "late",
    "ready",
    "installed",
    "topped_up",
    "failed",
    "refunding",
    "refunded",
    "refund_refused",
    "refunded_by_hand",
    "revoked",
    "expired",
]
Tone = Literal["done", "wait", "bad"]
#: What a code confirms; email and phone are corrections.
Purpose = Literal["email", "phone", "export", "block", "unblock", "erase"]
#: Why a request was not carried out, as the page says it (`said_...` in the texts).
RefusalText = Literal[
    "wrong_email",
    "wrong_phone",
    "nothing_new",
    "too_many",
    "not_now",
    "wrong_code",
    "code_over",
    "code_used",
]
#: What became of a file that the buyer sent.
FileNotice = Literal["file_kept", "file_type", "file_size", "file_number", "file_limit", "file_not_now"]
#: The notice that the page shows after one of its forms was sent.
Notice = (
    Literal[
        "resent",
        "wait",
        "limit",
        "asked",
        "not_asked",
        "no_file",
        "appealed",
        "cancelled",
        "not_sure",
        "message",
        "no_words",
        "too_often",
        "news",
        "reminders_off",
        "reminders_on",
        "corrected",
        "blocked",
        "unblocked",
        "export",
    ]
    | RefusalText
)


@dataclass(frozen=True, slots=True)
class EmailRecord:
    """An email about the order, and what became of it."""

    kind: str
    state: str
    facts: Mapping[str, Any]
    created_at: datetime
    settled_at: datetime | None = None
    bounced_at: datetime | None = None
    smtp_code: int | None = None
    enhanced_code: str | None = None


@dataclass(frozen=True, slots=True)
class AccountOrder:
    """The order behind a valid link. `row` is its row of `orders`; `state` changes when anything on the page does."""

    row: Mapping[str, Any]
    emails: Sequence[EmailRecord]
    email: str
    language: str
    state: str
    #: The buyer's data is blocked (PP 6.2).
    blocked: bool = False
    #: The mailbox gets no reminders about its eSIMs.
    reminders_off: bool = False
    #: The order asked for newsletters, and its mailbox has not agreed to them.
    asks_for_consent: bool = False

    @property
    def order_id(self) -> UUID:
        return UUID(str(self.row["order_id"]))

    @property
    def storefront(self) -> str:
        return str(self.row["storefront"])

    @property
    def has_code(self) -> bool:
        """Whether there is an activation code that works."""
        valid = self.row["revoked_at"] is None and self.row["expired_at"] is None
        return valid and any(email.kind == "qr" for email in self.emails)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline. `link` leads to a page of another site (a receipt)."""

    at: datetime
    text: str
    tone: Tone
    link: str | None = None


@dataclass(frozen=True, slots=True)
class ShownCode:
    """An activation code that the buyer asked to see."""

    code: ActivationCode
    confirmation_code: str | None
    iccid: str
    apn: str | None


@dataclass(frozen=True, slots=True)
class RefundReason:
    """A reason for a refund, and what the terms say of it today."""

    reason: str
    explanation: str


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case as its buyer reads it.

    `state` names the sentence about what happens next. `decided` says who decided: the
    terms by themselves (auto), the shop, or a person at support. `steps` are what happened, with its
    time; `missing` what the case waits for.
    """

    case_id: UUID
    title: str
    state: str
    steps: tuple[tuple[str, str], ...]
    due: str | None
    decided: Literal["auto", "shop", "person"] | None
    explanation: str | None
    clauses: str
    missing: tuple[str, ...]
    open: bool
    can_appeal: bool


@dataclass(frozen=True, slots=True)
class RefundSection:
    """The section on refunds.

    state: open (can be requested) | done (the money is refunded already) | away (refunds does not answer).
    """

    state: Literal["open", "done", "away"]
    reasons: tuple[RefundReason, ...] = ()
    cases: tuple[ShownCase, ...] = ()
    can_cancel: bool = False


@dataclass(frozen=True, slots=True)
class UnpaidOrder:
    """Another order of the mailbox that is not paid: what became of it, and a link (label, address) that helps."""

    order_number: str
    plan: str
    price: str
    placed_at: str
    text: str
    link: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class UnpaidSection:
    """The section on orders without a payment. state: shown | away (ordering does not answer)."""

    state: Literal["shown", "away"]
    orders: tuple[UnpaidOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingCode:
    """A confirmation code was sent, and the buyer is to enter it."""

    confirmation_id: UUID
    purpose: Purpose
    sent_by: Literal["sms", "email"]

    @property
    def query(self) -> dict[str, str]:
        """The same as query parameters of the page. They give nothing to a reader who has no code."""
        return {"code_for": str(self.confirmation_id), "purpose": self.purpose, "by": self.sent_by}


@dataclass(frozen=True, slots=True)
class RightsSection:
    """The sections on contact and data. `export` is the ticket for the buyer's data, after a code was confirmed."""

    pending: PendingCode | None = None
    export: str | None = None
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class ServiceErasure:
    """When one service erased the buyer, and what the law makes it keep."""

    erased_at: datetime
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasureProof:
    """The progress of an erasure, by service; it holds no personal data."""

    request_id: UUID
    done: bool
    requested_at: datetime
    confirmed_at: datetime | None
    confirmed_by: Literal["sms", "email"]
    services: Mapping[str, ServiceErasure]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the account page shows. `path` is the page's own; `form` is the value that its forms carry."""

    storefront: str
    store: Storefront
    language: Language
    format: LocaleFormat
    path: str
    form: str
    order: AccountOrder
    shown: ShownCode | None = None
    refund: RefundSection | None = None
    unpaid: UnpaidSection | None = None
    rights: RightsSection | None = None
    notices: tuple[str, ...] = ()
