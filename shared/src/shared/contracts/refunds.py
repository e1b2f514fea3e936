"""Facts that refunds owns."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from shared.contracts.base import NEAREST, BuyerErased, Language, Money, OrderEvent, PayoutWay, Value
from shared.sealed import Sealed

Origin = Literal["system", "buyer", "agent"]
#: How a request reached us.
RequestChannel = Literal["system", "email", "chat", "whatsapp", "telegram", "account", "form"]


class Ground(Value):
    """A clause that applied: the document (RP, PO, RC, RF), the clause as in docs/policies.md, and its meaning."""

    #: `§` is the law that an agent named (RF 2.5); `clause` is then its name.
    document: str
    clause: str
    text: str


class Explanation(Value):
    """The decision in each language. `kk` and `ka` are None in decisions of releases before 1.1, which knew two."""

    en: str
    ru: str
    kk: str | None = None
    ka: str | None = None

    def text(self, language: Language) -> str:
        """The decision for a reader of this language; in the nearest one where it is not written in the reader's."""
        written: str | None = getattr(self, language)
        return written or self.text(NEAREST[language])


class RefundRequested(OrderEvent, topic="refunds.refund-requested"):
    """A case is open."""

    case_id: UUID
    reason: str
    origin: Origin
    requested_at: datetime
    channel: RequestChannel = "system"


#: The state of the code that was paid for: there never was one; the operator confirmed its revocation; or it could not
#: be revoked, and a person or the law released the money anyway.
Code = Literal["none", "revoked", "kept"]


class RefundApproved(OrderEvent, topic="refunds.refund-approved", minor=3):
    """The money is to go back, for these clauses of the policy in force when the order was paid.

    A profile that was paid for is revoked before this is published (invariant I13).
    """

    case_id: UUID
    #: The key of the intended refund: one refund, however often this fact is read.
    refund_id: UUID
    amount: Money
    policy: str
    grounds: tuple[Ground, ...]
    explanation: Explanation
    approved_at: datetime
    pay_by: datetime | None = None
    credited_by: date | None = None
    #: The surplus capture that is to go back (payments.duplicate-charged); None: the kept one.
    charge_id: UUID | None = None
    #: The profile is to be revoked after the refund. From an earlier release: since `revocation-requested` exists
    #: the profile is revoked before.
    revoke_profile: bool = False
    #: None: not known (an earlier release), or not about the code (a surplus capture, a top-up).
    code: Code | None = None
    #: What is left of the payment when this refund is paid: above 0 the refund is a part, and the eSIM stays in use
    #: unless `code` says otherwise. None: not known (an earlier release), or a surplus capture.
    remaining_payment: Money | None = None

    @property
    def is_part(self) -> bool:
        """Whether something of the payment is left. An earlier release does not say; it is taken for the whole."""
        return self.remaining_payment is not None and self.remaining_payment.amount > 0


class InformationNeeded(OrderEvent, topic="refunds.information-needed", minor=3):
    """The request lacks what the policy requires; the case waits for exactly these fields (RF 4.3)."""

    case_id: UUID
    #: Names as in policies: order_number, email, phone, full_name, payment_date, reason, evidence.
    missing: tuple[str, ...]
    policy: str
    grounds: tuple[Ground, ...]
    explanation: Explanation
    asked_at: datetime
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None
    #: Where an agent asks: what the agent wrote to the buyer, sealed to notifications. None: the policy's words only.
    words: Sealed | None = None


class RequestRegistered(OrderEvent, topic="refunds.request-registered", minor=1):
    """A request is complete and waits for us: once for each case, when the first decision is not a final one."""

    case_id: UUID
    #: `support`, `restoration` or `observation`. An open set.
    waits_for: str
    received_at: datetime
    #: When it is decided at the latest (RF 5.1), or answered (PO 7.3).
    answer_by: datetime
    explanation: Explanation
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None


class RefundDenied(OrderEvent, topic="refunds.refund-denied", minor=2):
    """The request was refused, for these clauses; the explanation says how to appeal (RF 6)."""

    case_id: UUID
    policy: str
    grounds: tuple[Ground, ...]
    explanation: Explanation
    denied_at: datetime
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None


class RevocationRequested(OrderEvent, topic="refunds.revocation-requested"):
    """A refund is approved, and the profile is to be revoked first: the money waits for the operator's confirmation."""

    case_id: UUID
    policy: str
    grounds: tuple[Ground, ...]
    requested_at: datetime


class CancellationAccepted(OrderEvent, topic="refunds.cancellation-accepted"):
    """The buyer may cancel (RC 5, 6): the profile is to be revoked first, and the money follows."""

    case_id: UUID
    policy: str
    grounds: tuple[Ground, ...]
    accepted_at: datetime


class AppealReceived(OrderEvent, topic="refunds.appeal-received", minor=1):
    """The buyer appealed; another agent looks at the case (RF 6)."""

    case_id: UUID
    received_at: datetime
    answer_by: datetime | None = None
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None


class ClaimReceived(OrderEvent, topic="refunds.claim-received", minor=1):
    """A written claim arrived and is answered within 30 calendar days (PO 7.3, PP 7.3)."""

    claim_id: UUID
    received_at: datetime
    answer_by: datetime
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None


class ClaimAnswered(OrderEvent, topic="refunds.claim-answered"):
    """A written claim was answered, which meets its deadline or not (PO 7.3, PP 7.3).

    `answer_id`: the SupportAnswered with the answer's words. None: an agent recorded that the answer was sent another
    way, as a letter for instance.
    """

    claim_id: UUID
    received_at: datetime
    answer_by: datetime
    answered_at: datetime
    answer_id: UUID | None = None
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None


class DeadlineNear(OrderEvent, topic="refunds.deadline-near"):
    """The deadline of a case or claim passes soon, and the shop wants its agents alerted: once for each deadline."""

    case_id: UUID | None = None
    claim_id: UUID | None = None
    #: `decide_by`, `restore_by`, `pay_by`, `credited_by`, `appeal` or `claim`. An open set.
    kind: str
    due_at: datetime
    alerted_at: datetime
    #: The agents' page about it. None: refunds does not know where browsers reach it (PUBLIC_URL).
    page: str | None = None


class SupportAnswered(OrderEvent, topic="refunds.support-answered"):
    """An agent wrote to the buyer, about a case or in answer to a claim (PO 7.3)."""

    answer_id: UUID
    case_id: UUID | None = None
    claim_id: UUID | None = None
    #: What the agent wrote, sealed to notifications, which sends it to the contact on file.
    words: Sealed
    answered_at: datetime
    #: Where the buyer wrote an e-mail: its Message-ID and subject, sealed to notifications, so that the answer stands
    #: in the same thread. None: another channel.
    thread: Sealed | None = None


class RefundRetryRequested(OrderEvent, topic="refunds.refund-retry-requested"):
    """A person requests a new attempt of a refund that the bank refused: the same refund, a new attempt."""

    case_id: UUID
    refund_id: UUID
    #: The key of this action: at most one attempt follows, however often it is read.
    action_id: UUID
    #: The account of the person: equal for the same person, without a name.
    requested_by: UUID
    requested_at: datetime


#: The number of the payment document. No account number, card number or name: this travels in a readable event.
PayoutReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./#_-]*$", max_length=40)]


class HandPaymentRecorded(OrderEvent, topic="refunds.hand-payment-recorded"):
    """A person paid a refused refund, or a part of it, another way; a second person has yet to confirm it."""

    case_id: UUID
    refund_id: UUID
    payment_id: UUID
    amount: Money
    way: PayoutWay
    reference: PayoutReference
    #: The account of the person: equal for the same person, without a name.
    recorded_by: UUID
    recorded_at: datetime


class HandPaymentDecided(OrderEvent, topic="refunds.hand-payment-decided"):
    """A second person confirmed a hand payment, or rejected it: then the refund is refused as before."""

    case_id: UUID
    refund_id: UUID
    payment_id: UUID
    decision_id: UUID
    confirmed: bool
    #: The account of the second person, never that of `recorded_by`.
    decided_by: UUID
    decided_at: datetime


class RefundsBuyerErased(BuyerErased, topic="refunds.buyer-erased"):
    """Refunds holds no more data of that buyer (PP 6.2)."""
