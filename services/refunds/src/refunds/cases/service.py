"""Opens cases, joins requests to open ones, records findings, appeals and notes.

Buyers, shops, agents, the Telegram bot and the system all change cases through `CaseService`.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from refunds.cases.metrics import CaseMetrics
from refunds.cases.models.case import DOUBLE_CHARGE, UNREVOKED, Case
from refunds.cases.models.errors import AlreadyRefundedError, AmountError, KeyReusedError, NotAllowedError, NotPaidError
from refunds.cases.models.file import CaseFile
from refunds.cases.models.patience import Patience
from refunds.cases.models.request import Finding, Request, ShopRefund
from refunds.cases.rules import events
from refunds.cases.rules.deadlines import answer_by
from refunds.cases.rules.facts import apply_finding, facts_of
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.cases.rules.identity import case_id as id_of_case
from refunds.cases.rules.state import awaits_appeal, is_revoking
from refunds.cases.store.cases import ground_exists, keep_notes, load, load_one, lock, lock_case, note_id
from refunds.cases.store.changes import SYSTEM, CaseChanges, CaseContext, case_changes
from refunds.cases.store.facts import provided_fields
from refunds.cases.store.limits import check_case
from refunds.cases.tasks import decide_case, decide_open_cases
from refunds.policy import OrderPolicies
from shared.contracts import Money
from shared.database import Tx


class CaseService:
    """Everything that can be done with cases. All methods use the caller's transaction and never commit.

    `who`: an account (`agent:anna`), `storefront:<slug>`, `telegram` or `system`; `trace`: the traceparent of the call.
    """

    def __init__(
        self,
        policies: OrderPolicies,
        metrics: CaseMetrics,
        fingerprints: Fingerprints,
        *,
        patience: Patience,
        keep_notes: timedelta,
    ) -> None:
        self.policies = policies
        self.metrics = metrics
        self.fingerprints = fingerprints
        self.context = CaseContext(policies, metrics, patience)
        self._keep_notes = keep_notes

    # --- opening ----------------------------------------------------------------------------------------------------

    async def open_case(
        self, tx: Tx, order_id: UUID, request: Request, *, who: str, trace: str | None
    ) -> tuple[CaseFile, Case, bool]:
        """Open a case for this request, or join the open one. Returns the case, and whether it is new.

        Raises UnknownOrderError, NotPaidError, AlreadyRefundedError; LimitError where it would join.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            await lock(tx, [order_id])
            file = await load_one(tx, order_id)
            if file.order.row.paid_at is None:
                raise NotPaidError
            request = _about_surplus(file, request)
            provided = await provided_fields(tx, file.order.row.buyer_id, request, self.fingerprints)
            case, new = await _open_or_join(changes, file, request, provided, trace)
            await keep_notes(tx, file, case, request.words, who, self._keep_notes)
            return file, case, new

    async def open_of_system(
        self, tx: Tx, wanted: Mapping[UUID, list[Request]], traces: Mapping[UUID, str | None]
    ) -> None:
        """Open the system's own cases of many orders at once. Open cases and refunded orders are left unchanged."""
        async with self._changes(tx, SYSTEM, traces) as changes:
            await lock(tx, wanted)
            for order_id, file in sorted((await load(tx, list(wanted))).items()):
                if file.order.row.paid_at is None:
                    continue
                for request in wanted[order_id]:
                    case_id = id_of_case(order_id, request.key)
                    refunded = request.charge_id is None and file.left_minor <= 0
                    if file.case(case_id) is None and not refunded:
                        _begin(changes, file, _of_system(order_id, case_id, request, tx.now, traces.get(order_id)))

    async def refund_of_shop(
        self, tx: Tx, order_id: UUID, decided: ShopRefund, *, who: str, trace: str | None
    ) -> tuple[CaseFile, Case, bool]:
        """Return money by the shop's own decision, once for each idempotency key: the case, and whether it is new.

        A part is returned at once. Where nothing is left afterwards, the profile is revoked first (I13).
        Raises UnknownOrderError, NotPaidError, AlreadyRefundedError, AmountError, KeyReusedError.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            await lock(tx, [order_id])
            file = await load_one(tx, order_id)
            earlier = next((case for case in file.cases if case.ground == decided.ground), None)
            if earlier is not None and earlier.shop_request == decided.request_hash:
                return file, earlier, False
            if earlier is not None or await ground_exists(tx, decided.ground):
                raise KeyReusedError
            if file.order.row.paid_at is None:
                raise NotPaidError
            amount = _amount_of_shop(file, decided.amount)
            case = _of_shop(order_id, decided, amount, tx.now, trace)
            _begin(changes, file, case, person=True)
            await keep_notes(tx, file, case, (("shop_decision", decided.reason),), who, self._keep_notes)
            return file, case, True

    # --- deciding ---------------------------------------------------------------------------------------------------

    async def decide(self, tx: Tx, orders: Collection[UUID], traces: Mapping[UUID, str | None] | None = None) -> None:
        """Decide the open cases of these orders again (`cases/tasks.py`)."""
        await decide_open_cases(tx, self.context, orders, traces or {})

    async def find(
        self, tx: Tx, order_id: UUID, who: str, finding: Finding, case_id: UUID, trace: str | None
    ) -> tuple[CaseFile, Case]:
        """Record what an agent found out, and decide. An empty finding answers an appeal on the facts as they are.

        Raises UnknownOrderError, NotAllowedError.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            file, case = await lock_case(tx, order_id, case_id)
            _require_open(case, who, finding)
            values = {name: getattr(finding, name) for name in Finding.__slots__}
            detail = {name: value for name, value in values.items() if value not in (None, False)}
            changes.audit.add("found", case, **detail)
            apply_finding(case, finding, tx.now)
            case.pay_unrevoked = finding.pay_unrevoked or case.pay_unrevoked
            case.found_by = who
            if awaits_appeal(case):
                case.appeal_answered_at = tx.now
            decide_case(changes, file, case, person=True, changed=True)
            return file, case

    async def appeal(
        self, tx: Tx, order_id: UUID, case_id: UUID, *, who: str, words: tuple[tuple[str, str], ...], trace: str | None
    ) -> tuple[CaseFile, Case]:
        """Reopen a denied case for another agent (RF 6). A repeated appeal only adds its words.

        Raises UnknownOrderError, NotAllowedError; LimitError for a repeated appeal.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            file, case = await lock_case(tx, order_id, case_id)
            if awaits_appeal(case):
                await _check_limits(changes, case, words)
            await keep_notes(tx, file, case, words, who, self._keep_notes)
            if awaits_appeal(case):
                changes.audit.add("appeal_repeated", case)
                return file, case
            if case.closed_as != "denied":
                raise NotAllowedError("Only a denied request can be appealed.")
            if any(other.ground == case.ground and other.closed_at is None for other in file.cases):
                raise NotAllowedError("A newer request on the same ground is open; it will be answered.")
            row = file.order.row
            case.closed_at = case.closed_as = None
            case.observe_after = tx.now
            case.appealed_at, case.appeal_of, case.appeal_answered_at = tx.now, case.found_by or case.decided_by, None
            case.appeal_answer_by = answer_by(self.policies, row.storefront, row.paid_at, tx.now)
            changes.audit.add("appealed", case, answer_by=case.appeal_answer_by.isoformat())
            tx.publish(events.appeal_received(file, case, tx.now), trace=trace)
            decide_case(changes, file, case, changed=True)
            return file, case

    async def ask_again(
        self, tx: Tx, order_id: UUID, case_id: UUID, who: str, fields: Collection[str], trace: str | None
    ) -> None:
        """Ask the buyer again for fields that were given and do not serve (RF 4.3): the case waits for them.

        Raises UnknownOrderError, NotAllowedError where the policy needs none of them to decide.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            file, case = await lock_case(tx, order_id, case_id)
            _require_open(case, who, Finding())
            case.provided = sorted(set(case.provided or ()) - set(fields))
            case.completed_at = case.asked_for = None
            changes.audit.add("documents_asked", case, fields=sorted(fields))
            decide_case(changes, file, case, changed=True)
            if not fields or not set(fields) <= set(case.missing or ()):
                raise NotAllowedError("The policy decides this case without what you ask for.")

    async def note(self, tx: Tx, order_id: UUID, case_id: UUID, who: str, text: str) -> None:
        """Keep an agent's note. Raises UnknownOrderError."""
        async with self._changes(tx, who, {}) as changes:
            file, case = await lock_case(tx, order_id, case_id)
            await keep_notes(tx, file, case, (("note", text),), who, self._keep_notes)
            changes.audit.add("noted", case)

    def _changes(self, tx: Tx, who: str, traces: Mapping[UUID, str | None]) -> AbstractAsyncContextManager[CaseChanges]:
        return case_changes(tx, self.context, who, traces)


# --- opening and joining --------------------------------------------------------------------------------------------


def _about_surplus(file: CaseFile, request: Request) -> Request:
    """Direct a claimed double charge to the case of the surplus capture, where the bank reported one."""
    if request.reason != DOUBLE_CHARGE or not file.order.charges:
        return request
    charge_id = file.order.charges[0].charge_id
    return replace(request, ground=f"{DOUBLE_CHARGE}:{charge_id}", charge_id=charge_id)


async def _open_or_join(
    changes: CaseChanges, file: CaseFile, request: Request, provided: frozenset[str], trace: str | None
) -> tuple[Case, bool]:
    """The case of this request, and whether it is new. Raises AlreadyRefundedError, LimitError.

    A denied request is opened again only where the facts now lead to another decision. The limits are checked before
    anything changes: the Telegram bot commits its own part of the transaction after a LimitError.
    """
    earlier = [case for case in file.cases if case.ground == request.key]
    last = earlier[-1] if earlier else None
    if last is not None and last.closed_at is None:
        await _check_limits(changes, last, request.words)
        _join(changes, file, last, provided)
        return last, False
    if last is not None and last.closed_as != "denied":
        await _check_limits(changes, last, request.words)
        return last, False
    if request.charge_id is None and file.left_minor <= 0:
        paying = next((case for case in file.cases if case.refund_id is not None and case.charge_id is None), None)
        raise AlreadyRefundedError(None if paying is None else paying.case_id)
    provided |= set(last.provided or () if last else ())
    case = _of_request(file.order.row.order_id, request, provided, len(earlier) + 1, changes.tx.now, trace)
    if last is not None and _denied_again(changes, file, last, case):
        await _check_limits(changes, last, request.words)
        changes.audit.add("asked_again", last)
        return last, False
    _begin(changes, file, case)
    return case, True


async def _check_limits(changes: CaseChanges, case: Case, words: Sequence[tuple[str, str]]) -> None:
    """Raises LimitError where no more may be added to the case."""
    notes = sorted({note_id(case.case_id, kind, text) for kind, text in words})
    await check_case(changes.tx, case.case_id, notes, changes.audit.who)


def _amount_of_shop(file: CaseFile, amount: Money | None) -> int:
    """What the shop returns, in minor units. Raises AlreadyRefundedError, AmountError."""
    left, currency = file.left_minor, file.order.row.currency
    if left <= 0:
        paying = next((case for case in file.cases if case.refund_id is not None and case.charge_id is None), None)
        raise AlreadyRefundedError(None if paying is None else paying.case_id)
    if amount is None:
        return left
    if amount.currency != currency:
        raise AmountError(f"The order was paid in {currency}.")
    if not 0 < amount.amount <= left:
        raise AmountError(f"At most {left} minor units of {currency} are left of the payment (PO 6.3), at least 1.")
    return amount.amount


def _of_shop(order_id: UUID, decided: ShopRefund, amount: int, now: datetime, trace: str | None) -> Case:
    return Case(
        case_id=id_of_case(order_id, decided.ground),
        order_id=order_id,
        ground=decided.ground,
        origin="agent",
        requested_at=now,
        reason="other",
        received_at=now,
        provided=[],
        trace=trace,
        shop_amount_minor=amount,
        shop_request=decided.request_hash,
    )


def _begin(changes: CaseChanges, file: CaseFile, case: Case, *, person: bool = False) -> None:
    """Publish that the case is open, which also requests an observation of the profile, and decide it."""
    file.cases.append(case)
    case.observation_asked_at = changes.tx.now
    changes.publish(events.requested(file, case), case)
    changes.audit.add("opened", case, ground=case.ground, channel=case.channel, provided=case.provided or [])
    decide_case(changes, file, case, person=person, changed=True)


def _join(changes: CaseChanges, file: CaseFile, case: Case, provided: frozenset[str]) -> None:
    added = provided - set(case.provided or ())
    changes.audit.add("joined", case, added=sorted(added))
    if added:
        case.provided = sorted(provided | set(case.provided or ()))
        case.completed_at = None
        decide_case(changes, file, case, changed=True)


def _denied_again(changes: CaseChanges, file: CaseFile, last: Case, case: Case) -> bool:
    """Whether the new case would be denied for no other clauses than the last one."""
    facts = facts_of(file.order, case, changes.tx.now)
    decision = changes.policies.decide(facts, file.order.charge(case))
    if decision is None:
        return True
    clauses = {(ground.document, ground.clause) for ground in decision.grounds}
    before = {(ground["document"], ground["clause"]) for ground in last.grounds or ()}
    return decision.verdict == "deny" and clauses <= before


def _of_request(
    order_id: UUID, request: Request, provided: frozenset[str], round_number: int, now: datetime, trace: str | None
) -> Case:
    return Case(
        case_id=id_of_case(order_id, request.key, round_number),
        order_id=order_id,
        ground=request.key,
        origin=request.origin,
        requested_at=now,
        round=round_number,
        reason=request.reason,
        channel=request.channel,
        received_at=request.received_at or now,
        provided=sorted(provided),
        charge_id=request.charge_id,
        trace=trace,
    )


def _of_system(order_id: UUID, case_id: UUID, request: Request, now: datetime, trace: str | None) -> Case:
    return Case(
        case_id=case_id,
        order_id=order_id,
        ground=request.key,
        origin=SYSTEM,
        requested_at=now,
        reason=request.reason,
        received_at=min(request.received_at or now, now),
        charge_id=request.charge_id,
        trace=trace,
    )


# --- findings -------------------------------------------------------------------------------------------------------


def _require_open(case: Case, who: str, finding: Finding) -> None:
    """Raises NotAllowedError where this person may not record this finding now."""
    if case.closed_at is not None or case.refund_id is not None:
        raise NotAllowedError("The case is decided. A denied one is reopened by an appeal.")
    if finding.pay_unrevoked and case.person_why not in UNREVOKED:
        raise NotAllowedError("The case does not wait for a profile that cannot be taken back.")
    if is_revoking(case) and not finding.pay_unrevoked:
        raise NotAllowedError("The refund is approved and the profile is being taken out of use; its answer decides.")
    if awaits_appeal(case) and case.appeal_of == who:
        raise NotAllowedError("An appeal is decided by somebody else than who decided before (RF 6).")
