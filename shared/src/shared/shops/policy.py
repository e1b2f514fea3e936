"""A refund policy as data: required fields, reasons to grant and to refuse with their clauses, deadlines.

One file for each version, `<shop>/policy/<version>.toml`. Refunds decides by it: the order of questions and the meaning
of each condition are that service's.
"""

import string
from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.contracts.base import Language
from shared.shops.entry import Entry
from shared.values.moment import Moment

Reason = Literal[
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
RequestField = Literal["order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence"]
#: The placeholders that a text may contain; refunds fills them.
PLACEHOLDERS = frozenset(
    [
        "paid_on",
        "requested_on",
        "delivered_on",
        "request_until",
        "restore_by",
        "delivery_due",
        "legal_rule",
        "charges",
        "amount",
    ]
)
#: `downloaded`: the QR code was scanned or the code entered, so that every later use implies it.
Use = Literal["downloaded", "installed", "activated", "used", "deleted", "revoked", "expired", "plan_over", "applied"]
Failure = Literal["confirmed", "not_found", "not_claimed"]


def _places(text: str) -> set[str]:
    """The placeholders of a text. Raises ValueError where its braces do not match."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _fillable(text: str) -> str:
    try:
        names = _places(text)
    except ValueError as error:
        raise ValueError(f"is not a text with placeholders: {error}") from None
    if unknown := names - PLACEHOLDERS:
        raise ValueError(f"has unknown placeholders: {', '.join(sorted(unknown))}")
    return text


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_fillable)]
#: Stands for the law that an agent names, where the seller's own text has no clause for it (RF 2.5).
LAW = "§"
#: A clause as docs/policies.md writes it: the document, a space, the number; or the law.
Clause = Annotated[str, StringConstraints(pattern=rf"^([A-Z]{{2}} [0-9]+(\.[0-9]+)*|{LAW})$")]


class Words(Entry):
    """A sentence in every language that a buyer may read, with the same placeholders in each."""

    en: Text
    ru: Text
    kk: Text
    ka: Text

    @model_validator(mode="after")
    def _same_places(self) -> "Words":
        expected = _places(self.en)
        for language in get_args(Language):
            if (places := _places(getattr(self, language))) != expected:
                differing = ", ".join(sorted(places ^ expected))
                raise ValueError(f"has other placeholders in {language} than in en ({differing}): {self.en}")
        return self


class GroundText(Words):
    """Clauses and what they say, in our own words."""

    clauses: tuple[Clause, ...] = Field(min_length=1)


class When(Entry):
    """Conditions that must all hold; refunds defines each. An absent one is not checked."""

    kind: Literal["esim", "top_up"] | None = None
    reason: tuple[Reason, ...] | None = None
    requested: Literal["in_time", "late"] | None = None
    never_made: bool | None = None
    delivered: bool | None = None
    delivery: Literal["in_time", "overdue"] | None = None
    buyer_caused_delay: bool | None = None
    charged_twice: bool | None = None
    payment_error: Literal["confirmed"] | None = None
    failure: tuple[Failure, ...] | None = None
    restored: Literal["in_time", "not_in_time"] | None = None
    legal_rule: bool | None = None
    fair_use_violated: bool | None = None
    days_since_purchase_over: int | None = Field(None, ge=0)
    known: tuple[Use, ...] | None = None
    not_known: tuple[Use, ...] | None = None
    unused: tuple[Use, ...] | None = None
    traffic: Literal["zero"] | None = None


class Rule(Entry):
    """Grounds, and when they apply."""

    when: When = When()
    ground: tuple[GroundText, ...] = Field(min_length=1)

    @property
    def clauses(self) -> tuple[str, ...]:
        return tuple(clause for ground in self.ground for clause in ground.clauses)


class Approval(Rule):
    """A reason to pay. A decision cites all that hold; while none does, the first that still may says what is missing.

    `above_refusals`: no refusal stands against it.
    """

    above_refusals: bool = False
    #: Why it waits for support; None: as the policy's other approvals do.
    support: GroundText | None = None


class Refusal(Rule):
    """A reason not to pay. It does not stand against the approvals named here by their first clause.

    `yields_to`: exceptions that the seller's text itself makes. `outweighed_by`: where the text grants and denies at
    once, these approvals prevail, and the decision names both clauses.
    """

    yields_to: tuple[Clause, ...] = ()
    outweighed_by: tuple[Clause, ...] = ()

    def stands_against(self, approval: Approval) -> bool:
        """Whether this refusal, where it holds, keeps that approval from paying."""
        return not approval.above_refusals and approval.clauses[0] not in (*self.yields_to, *self.outweighed_by)


class Required(GroundText):
    """A field of the request (or one of several), and for which reasons it is required (all, where none is named)."""

    any_of: tuple[RequestField, ...] = Field(min_length=1)
    reason: tuple[Reason, ...] | None = None


class Period(Entry):
    """A deadline: so many calendar days, business days or exact hours after a moment."""

    after: Literal["purchase", "delivery", "request", "documents", "decision"]
    clause: Clause
    calendar_days: int | None = Field(None, ge=0)
    business_days: int | None = Field(None, ge=1)
    hours: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_unit(self) -> "Period":
        if sum(unit is not None for unit in (self.calendar_days, self.business_days, self.hours)) != 1:
            raise ValueError("give exactly one of calendar_days, business_days, hours")
        return self


class Periods(Entry):
    """The deadlines of a policy; None: it sets none. `answer_claim_by` counts from a written claim."""

    request_until: Period | None = None
    decide_by: Period | None = None
    restore_by: Period | None = None
    pay_by: Period | None = None
    credited_by: Period | None = None
    answer_claim_by: Period | None = None


class Waiting(Entry):
    """Why a decision waits for support, restoration or the operator.

    `mailbox`: support has to find out only why a mailbox refused the code; None: as `support`.
    """

    support: GroundText | None = None
    mailbox: GroundText | None = None
    restoration: GroundText | None = None
    observation: GroundText


class Answers(Entry):
    """What the explanations add: how the money comes back, what an incomplete request means, how to appeal."""

    money_back: Words
    incomplete: Words
    appeal: Words


class Document(Words):
    """A legal text: how it is cited in each language."""


class PolicyFile(Entry):
    """One version of a seller's policy. It judges orders that were paid from `effective_from` on (PO 3.3).

    The first version has no such moment and judges everything that was paid before the second.
    """

    version: str = Field(pattern=r"^[0-9A-Za-z.-]+$", max_length=40)
    effective_from: Moment | None = None
    #: The date of the seller's text, as the text states it.
    source: str
    #: The offer's time limit for delivery (RF 2.3), from which an order's `delivery_due_at` is set.
    delivery_hours: int | None = Field(None, ge=1)
    #: Reasons that claim a technical failure on the seller's or operator's side.
    failure_reasons: tuple[Reason, ...] = ()
    documents: dict[str, Document]
    required: tuple[Required, ...] = Field(min_length=1)
    deadlines: Periods
    approve: tuple[Approval, ...] = Field(min_length=1)
    refuse: tuple[Refusal, ...]
    otherwise: tuple[Rule, ...] = Field(min_length=1)
    waiting: Waiting
    answers: Answers

    @model_validator(mode="after")
    def _hangs_together(self) -> "PolicyFile":
        if unknown := {clause.partition(" ")[0] for clause in self._cited()} - {*self.documents, LAW}:
            raise ValueError(f"cites documents that it does not name: {', '.join(sorted(unknown))}")
        approvals = {rule.clauses[0] for rule in self.approve}
        if unknown := {one for rule in self.refuse for one in (*rule.yields_to, *rule.outweighed_by)} - approvals:
            raise ValueError(f"a refusal yields to approvals that do not exist: {', '.join(sorted(unknown))}")
        if self.otherwise[-1].when != When():
            raise ValueError("the last `otherwise` must hold always, so that every request gets an answer")
        rules = (*self.approve, *self.refuse, *self.otherwise)
        if self.deadlines.request_until is None and any(rule.when.requested for rule in rules):
            raise ValueError("asks whether the request came in time, but sets no request_until")
        if any(rule.when.restored for rule in rules) and (
            self.deadlines.restore_by is None or self.waiting.restoration is None
        ):
            raise ValueError("asks for restoration, but sets no restore_by or no waiting.restoration")
        if any(rule.when.failure or rule.when.payment_error for rule in self.approve) and self.waiting.support is None:
            raise ValueError("asks for support's finding, but has no waiting.support")
        return self

    def sentences(self) -> Iterator[tuple[str, Words]]:
        """All that a buyer may read of this policy, with its place: `refuse RC 1`, `answers.appeal`."""
        yield from ((f"documents.{name}", document) for name, document in self.documents.items())
        for kind in ("required", "approve", "refuse", "otherwise"):
            for entry in getattr(self, kind):
                grounds = entry.ground if isinstance(entry, Rule) else (entry,)
                if isinstance(entry, Approval) and entry.support:
                    grounds = (*grounds, entry.support)
                yield from ((f"{kind} {', '.join(ground.clauses)}", ground) for ground in grounds)
        for part in (self.waiting, self.answers):
            name = "waiting" if part is self.waiting else "answers"
            words = ((field, getattr(part, field)) for field in type(part).model_fields)
            yield from ((f"{name}.{field}", one) for field, one in words if one is not None)

    def _cited(self) -> set[str]:
        cited = {clause for _, words in self.sentences() if isinstance(words, GroundText) for clause in words.clauses}
        periods = (getattr(self.deadlines, name) for name in Periods.model_fields)
        return cited | {period.clause for period in periods if period is not None}
