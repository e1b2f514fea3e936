"""Which actions on a refused refund are possible, as far as refunds knows. Pure; amounts in minor units."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

#: The ways to pay by hand, by the names that payments uses, with labels for agents.
WAYS = {
    "bank_transfer": "Bank transfer",
    "other_card": "To another card",
    "cash": "Cash",
    "wallet": "E-wallet",
    "other": "Another way",
}
#: Why payments refused an action, by its code, as a sentence for agents. Other codes are shown as they are.
REFUSALS = {
    "unknown_refund": "Payments does not know this refund.",
    "refund_not_refused": "The refund is under way, of unknown outcome, or over.",
    "hand_payment_open": "A payment by hand waits for a second person.",
    "wrong_currency": "The refund is in another currency.",
    "unknown_way": "Payments does not know this way of paying.",
    "more_than_owed": "That is more than is still owed.",
    "beyond_payment": "Other refunds have used up what was paid for the order (PO 6.3).",
    "unknown_payment": "Payments does not know this payment.",
    "decided_before": "The payment was decided before.",
    "same_person": "A second person has to confirm it.",
    "bank_has_paid": "The bank has returned the money after all: what was paid by hand has to be claimed back.",
}
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./#_-]{0,39}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_CARD_DIGITS = range(12, 20)


@dataclass(slots=True, frozen=True)
class OpenAction:
    """An action that has not ended: a retry that payments has not answered, or a payment by hand."""

    action_id: UUID
    kind: str
    requested_by: str
    requested_at: datetime
    amount_minor: int | None = None
    way: str | None = None
    reference: str | None = None
    #: Payments has reserved the amount: a second person may decide.
    accepted: bool = False
    decided_by: str | None = None


@dataclass(slots=True, frozen=True)
class RefusedRefund:
    """A case's refund that the bank refused at least once. `left_minor` is still owed to the buyer."""

    refund_id: UUID
    failed_at: datetime
    failure: str
    attempts: int
    left_minor: int
    currency: str
    #: The bank is being asked again.
    under_way: bool = False
    settled: bool = False
    bank_code: int | None = None
    open: OpenAction | None = None

    @property
    def waits(self) -> bool:
        """Whether an agent can retry the refund or pay it by hand now."""
        return not (self.settled or self.under_way or self.open)


def refusal_in_words(code: str | None) -> str | None:
    """The reason that payments gave, as a sentence."""
    return None if code is None else REFUSALS.get(code, code)


def refuse_action(refund: RefusedRefund | None) -> str | None:
    """Why the refund can neither be retried nor paid by hand now; None: both are possible."""
    if refund is None:
        return "The bank has not refused a refund of this case."
    if refund.settled:
        return "The refund is paid."
    if refund.open is not None:
        return "Somebody has acted already. Wait until that is over."
    return "The bank is being asked again." if refund.under_way else None


def refuse_payment(refund: RefusedRefund | None, amount_minor: int | None, way: str, reference: str) -> str | None:
    """Why this payment by hand cannot be recorded; None: it can."""
    refused = refuse_action(refund)
    if refund is None or refused:
        return refused
    checks = (
        (amount_minor is None or amount_minor <= 0, "Write the amount with at most two decimals: 4990.00."),
        ((amount_minor or 0) > refund.left_minor, "That is more than is still owed."),
        (way not in WAYS, "Choose how it was paid."),
        (
            _REFERENCE.fullmatch(reference) is None,
            "Give the number of the payment document: Latin letters, digits and ./#_- , at most 40.",
        ),
        (names_an_account(reference), "Give the number of the payment document, not of a card or an account."),
    )
    return next((why for holds, why in checks if holds), None)


def refuse_decision(refund: RefusedRefund | None, payment_id: UUID, who: str) -> str | None:
    """Why this person cannot confirm or reject the payment; None: they can."""
    action = None if refund is None else refund.open
    if action is None or action.kind != "hand_payment" or action.action_id != payment_id:
        return "This payment does not wait for anybody: it is decided, or not known here."
    if action.decided_by is not None:
        return "The payment is decided already."
    if not action.accepted:
        return "Payments has not answered yet. Try again in a moment."
    return "Who recorded a payment cannot confirm or reject it." if action.requested_by == who else None


def names_an_account(reference: str) -> bool:
    """Whether a reference looks like a card number (Luhn) or an IBAN: personal data, which events must not carry."""
    plain = re.sub(r"[^A-Za-z0-9]", "", reference).upper()
    if _IBAN.fullmatch(plain):
        return True
    digits = [int(one) for one in plain if one.isdigit()]
    if len(digits) != len(plain) or len(digits) not in _CARD_DIGITS:
        return False
    doubled = [sum(divmod(digit * 2, 10)) if at % 2 else digit for at, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
