"""The money of an approved case: the profile is revoked first (I13), then the refund is released and followed."""

from uuid import UUID

from refunds.cases.changes import SYSTEM, CaseChanges
from refunds.cases.models.case import CANCELLATION, Case, WhyPerson
from refunds.cases.models.file import CaseFile
from refunds.cases.rules import events
from refunds.policy.models.decision import Decision
from refunds.policy.models.facts import Facts
from shared.ids import uuid_for


def approve(changes: CaseChanges, file: CaseFile, case: Case, answer: Decision, facts: Facts) -> None:
    """Revoke first where a code might still work (I13); the money follows the operator's yes."""
    if answer.refund is None:
        return
    if case.charge_id is not None or not file.order.has_profile or case.pay_unrevoked:
        release(changes, file, case, answer)
    elif case.revocation_refused_at is None:
        _revoke(changes, file, case, answer)
    elif changes.policies.outranks_refusals(facts):
        release(changes, file, case, answer)
    else:
        changes.set_person(case, WhyPerson.REVOCATION_REFUSED, file.order.row.storefront)


def _revoke(changes: CaseChanges, file: CaseFile, case: Case, answer: Decision) -> None:
    """Keep the approved answer, and have the profile taken out of use."""
    case.approval = answer.model_dump(mode="json")
    case.revocation_asked_at = changes.tx.now
    about = (file, case, answer.policy, answer.grounds, changes.tx.now)
    if case.ground == CANCELLATION:
        case.cancellation_accepted_at = changes.tx.now
        changes.publish(events.cancellation_accepted(*about), case)
        changes.audit.add("cancellation_accepted", case, by=SYSTEM)
    else:
        changes.publish(events.revocation_requested(*about), case)
        changes.audit.add("revocation_asked", case, by=SYSTEM)


def release(changes: CaseChanges, file: CaseFile, case: Case, answer: Decision) -> None:
    """Publish that the refund is approved, with its amount and deadlines; supersede the case where nothing is left."""
    if answer.refund is None or not affordable(file, case, answer):
        changes.supersede(case)
        return
    row = file.order.row
    changes.set_person(case, None, row.storefront)
    case.refund_id = refund_id(case)
    money = answer.refund.money
    case.amount_minor, case.currency = money.amount, money.currency
    case.pay_by = answer.deadlines.pay_by
    case.credited_by = changes.policies.last_day(answer.deadlines.credited_by, row.storefront, row.paid_at)
    if case.charge_id is None:
        file.approved_minor += money.amount
    changes.publish(events.approved(file, case, answer, changes.tx.now), case)


def follow(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """Close the case when its refund has settled; note it once where the bank refused it."""
    outcome = file.outcome(case)
    if outcome.settled_at is not None:
        changes.audit.add("settled", case, by=SYSTEM)
        changes.close(case, "settled")
    elif outcome.failed_at is not None and "refund_failed" not in (case.alarmed or ()):
        case.alarmed = [*(case.alarmed or ()), "refund_failed"]
        changes.audit.add("refund_failed", case, by=SYSTEM)


def affordable(file: CaseFile, case: Case, answer: Decision) -> bool:
    """Never more goes back than came in; a surplus capture is money of its own."""
    if answer.refund is None or case.charge_id is not None:
        return True
    return answer.refund.money.amount <= file.left_minor


def refund_id(case: Case) -> UUID:
    """The key of the case's money move: always the same, so that no replay can intend a second one."""
    rounds = () if case.round == 1 else (str(case.round),)
    return uuid_for("refund", str(case.order_id), case.ground, *rounds)
