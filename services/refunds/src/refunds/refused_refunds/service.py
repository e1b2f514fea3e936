"""What agents do about a refused refund: each action is stored, audited and published to payments in one transaction.

Actions of one order take turns (the lock of the order): of two agents at once, the second reads what the first did.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from refunds.cases import Case, CaseFile, NotAllowedError, lock_case, write_entry
from refunds.cases.rules.events import about
from refunds.refused_refunds import store
from refunds.refused_refunds.rules import refuse_action, refuse_decision, refuse_payment
from shared.contracts import HandPaymentDecided, HandPaymentRecorded, Money, RefundRetryRequested
from shared.database import Tx
from shared.ids import uuid_for


@dataclass(slots=True, frozen=True)
class Payout:
    """What was paid by hand. `amount_minor`: None where it cannot be read. `reference`: of the payment document."""

    amount_minor: int | None
    way: str
    reference: str


class RefusedRefundService:
    """All methods take the caller's transaction and never commit. An action that is sent again changes nothing.

    `who`: the account as the audit trail names it, `agent:anna`. Raises UnknownOrderError, NotAllowedError.
    """

    async def retry(self, tx: Tx, order_id: UUID, case_id: UUID, action_id: UUID, who: str, trace: str | None) -> None:
        """Request payments to try the same refund again."""
        file, case = await lock_case(tx, order_id, case_id)
        if await _repeated(tx, action_id, case_id, "retry"):
            return
        if refused := refuse_action(await store.read(tx, case_id)):
            raise NotAllowedError(refused)
        await store.add(tx, _row(case, action_id, "retry", who, tx))
        requested = RefundRetryRequested(
            **_about(file, case), action_id=action_id, requested_by=account_id(who), requested_at=tx.now
        )
        tx.publish(requested, trace=trace or case.trace)
        await _audit(tx, who, "refund_retry_requested", case)

    async def record_payment(
        self,
        tx: Tx,
        order_id: UUID,
        case_id: UUID,
        action_id: UUID,
        who: str,
        trace: str | None,
        payout: Payout,
    ) -> None:
        """Record what was paid by hand, whole or in part."""
        file, case = await lock_case(tx, order_id, case_id)
        if await _repeated(tx, action_id, case_id, "hand_payment"):
            return
        refund = await store.read(tx, case_id)
        refused = refuse_payment(refund, payout.amount_minor, payout.way, payout.reference)
        if refused or refund is None or payout.amount_minor is None:
            raise NotAllowedError(refused or "Nothing can be paid by hand now.")
        details = {
            "amount_minor": payout.amount_minor,
            "currency": refund.currency,
            "way": payout.way,
            "reference": payout.reference,
        }
        await store.add(tx, _row(case, action_id, "hand_payment", who, tx) | details)
        recorded = HandPaymentRecorded(
            **_about(file, case),
            payment_id=action_id,
            amount=Money(amount=payout.amount_minor, currency=refund.currency),
            way=payout.way,
            reference=payout.reference,
            recorded_by=account_id(who),
            recorded_at=tx.now,
        )
        tx.publish(recorded, trace=trace or case.trace)
        await _audit(tx, who, "hand_payment_recorded", case, **details)

    async def decide_payment(
        self, tx: Tx, order_id: UUID, case_id: UUID, payment_id: UUID, who: str, trace: str | None, *, confirmed: bool
    ) -> None:
        """Confirm or reject a payment, as a second person. The same decision of the same person changes nothing."""
        file, case = await lock_case(tx, order_id, case_id)
        action = await store.find_action(tx, payment_id)
        if action is not None and (action.case_id, action.decided_by, action.confirmed) == (case_id, who, confirmed):
            return
        if refused := refuse_decision(await store.read(tx, case_id), payment_id, who):
            raise NotAllowedError(refused)
        decision_id = uuid_for("hand-payment-decision", str(payment_id))
        await store.decide(tx, payment_id, decision_id, who, confirmed=confirmed)
        decided = HandPaymentDecided(
            **_about(file, case),
            payment_id=payment_id,
            decision_id=decision_id,
            confirmed=confirmed,
            decided_by=account_id(who),
            decided_at=tx.now,
        )
        tx.publish(decided, trace=trace or case.trace)
        await _audit(tx, who, "hand_payment_confirmed" if confirmed else "hand_payment_rejected", case)


def account_id(who: str) -> UUID:
    """The id of an account in events. Names may be e-mail addresses, so they stay in the audit trail."""
    return uuid_for("refunds-account", who)


async def _repeated(tx: Tx, action_id: UUID, case_id: UUID, kind: str) -> bool:
    """Whether this action was stored before. Raises NotAllowedError where its key names another action."""
    row = await store.find_action(tx, action_id)
    if row is not None and (row.case_id, row.kind) != (case_id, kind):
        raise NotAllowedError("This key was used for another action.")
    return row is not None


def _row(case: Case, action_id: UUID, kind: str, who: str, tx: Tx) -> dict[str, Any]:
    return {
        "action_id": action_id,
        "refund_id": case.refund_id,
        "case_id": case.case_id,
        "order_id": case.order_id,
        "kind": kind,
        "requested_by": who,
        "requested_at": tx.now,
    }


def _about(file: CaseFile, case: Case) -> dict[str, Any]:
    return {**about(file, case), "refund_id": case.refund_id}


async def _audit(tx: Tx, who: str, what: str, case: Case, **detail: Any) -> None:
    await write_entry(tx, who, what, case.order_id, case.case_id, **detail)
