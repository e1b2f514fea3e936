"""What a decision rests on: the rows of an order and a request, put into the policy engine's own words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from refunds.domain.cases import DOUBLE_CHARGE, FIELDS, GENERATION_FAILED, NOT_DELIVERED, Case
from refunds.domain.policy import Delivery, Facts, Price, Profile
from shared.contracts import Money

#: What the system's own cases ask for, in a buyer's words.
_SYSTEM_REASONS = {GENERATION_FAILED: "technical_failure", NOT_DELIVERED: "not_delivered"}


@dataclass(slots=True, frozen=True)
class Order:
    """What is known of an order. `row` holds the columns of `order_facts` and `observations`."""

    row: Any
    charges: Sequence[Any]

    @property
    def paid(self) -> Money | None:
        if self.row.paid_minor is None:
            return None
        return Money(amount=self.row.paid_minor, currency=self.row.currency)

    @property
    def has_profile(self) -> bool:
        """A profile was made, or may still come, and is not revoked yet."""
        return self.row.kind != "top_up" and self.row.failed_at is None and self.row.revoked_at is None

    def charge(self, case: Case) -> Any:
        """The surplus capture that the case is about, or None."""
        return next((charge for charge in self.charges if charge.charge_id == case.charge_id), None)


def reason_of(case: Case) -> str:
    """The case's reason as policies know it."""
    if case.reason is not None:
        return case.reason
    return DOUBLE_CHARGE if case.charge_id is not None else _SYSTEM_REASONS.get(case.ground, "other")


def facts_of(order: Order, case: Case, now: datetime, *, freshest: timedelta | None) -> Facts:
    """The input of `decide` for a case.

    An observation counts for `freshest` (None: for ever): an older one might hide what was used since. The system asks
    itself for no documents: it knows the order.
    """
    request = {
        "received_at": _asked(case),
        "reason": reason_of(case),
        "provided": list(FIELDS if case.origin == "system" else case.provided or ()),
        # Where something was missing, the time to review begins when the last of it has come (RF 5.1).
        "completed_at": case.completed_at or (now if case.asked_for else None),
    }
    facts = _facts(order, now, freshest, request, _support(case), case)
    if case.ground != GENERATION_FAILED:
        return facts
    # The failure is final by contract, whatever else is told of a profile: no order of telling changes the answer.
    return facts.model_copy(update={"profile": Profile(failed_at=order.row.failed_at), "delivery": Delivery()})


def hypothetical(order: Order, reason: str, now: datetime) -> Facts:
    """As if the buyer asked now, with everything that is required."""
    return _facts(order, now, timedelta(0), {"received_at": now, "reason": reason, "provided": list(FIELDS)}, {}, None)


def _asked(case: Case) -> datetime:
    """When the request that is judged came in. A case of the system is as old as it is."""
    return case.received_at or case.requested_at


def _facts(
    order: Order,
    now: datetime,
    freshest: timedelta | None,
    request: dict[str, Any],
    support: dict[str, Any],
    case: Case | None,
) -> Facts:
    row = order.row
    paid = order.paid
    return Facts.model_validate(
        {
            "storefront": row.storefront,
            "now": now,
            "order": {
                "kind": row.kind,
                "paid_at": row.paid_at,
                "paid": None if paid is None else Price.of(paid),
                # Each surplus capture has a case of its own; to all others the order was charged once.
                "charges": 2 if case is not None and case.charge_id is not None else 1,
            },
            "delivery": {"delivered_at": row.delivered_at},
            "profile": _profile(row, now, freshest, case),
            "top_up": {"applied_at": row.top_up_applied_at},
            "support": support,
            "request": request,
        }
    )


def _profile(row: Any, now: datetime, freshest: timedelta | None, case: Case | None) -> dict[str, Any]:
    # A revocation that this case itself brought about is not held against the buyer.
    own = case is not None and row.revoked_case_id == case.case_id
    stale = freshest is not None and row.asked_at is not None and row.asked_at <= now - freshest
    return {
        "generated_at": row.generated_at,
        "failed_at": row.failed_at,
        "installed_at": row.installed_at,
        "activated_at": row.activated_at,
        "deleted_at": row.deleted_at,
        "revoked_at": None if own else row.revoked_at,
        "expired_at": row.expired_at,
        "plan_ends_at": row.plan_ends_at,
        "used_bytes": row.used_bytes,
        "observed_at": None if stale else row.asked_at,
    }


def _support(case: Case) -> dict[str, Any]:
    return {
        "finding": case.finding,
        "found_at": case.found_at,
        "restored_at": case.restored_at,
        "fair_use_violated": case.fair_use_violated,
        "buyer_caused_delay": case.buyer_caused_delay,
        "legal_rule": case.legal_rule,
    }
