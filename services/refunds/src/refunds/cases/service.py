"""The case_service itself: what may be done with cases, each in the transaction of whoever asks."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from refunds.cases.changes import SYSTEM, CaseChanges, Patience
from refunds.cases.deadlines import answer_by
from refunds.cases.deciding import consider
from refunds.cases.limits import check_case
from refunds.cases.metrics import CaseMetrics
from refunds.cases.models.case import DOUBLE_CHARGE, Case, WhyPerson, awaits_appeal, is_revoking
from refunds.cases.models.errors import NotAllowedError, NotPaidError, UnknownOrderError
from refunds.cases.models.file import CaseFile
from refunds.cases.models.request import Finding, Request
from refunds.cases.opening import begin, case_ids, keep_words, note_id, open_or_join, recognised
from refunds.cases.rules import events
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.cases.store.cases import Audit, busy, load, lock, save
from refunds.policy.rules.order_policies import OrderPolicies
from refunds.tables import decisions
from shared.database import Tx


class CaseService:
    """Opens, decides and follows cases. All methods take the caller's transaction and never commit."""

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
        self._patience = patience
        self._keep_notes = keep_notes

    # --- opening ----------------------------------------------------------------------------------------------------

    async def open_case(
        self, tx: Tx, order_id: UUID, request: Request, *, who: str, trace: str | None
    ) -> tuple[CaseFile, Case, bool]:
        """Open the case of this request, or join the one that is open; whether it is new.

        Raises UnknownOrderError, NotPaidError, AlreadyRefundedError; LimitError where it would join.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            file = await self._file(tx, order_id)
            if file.order.row.paid_at is None:
                raise NotPaidError
            request = _about_surplus(file, request)
            provided = await recognised(tx, file.order.row.buyer_id, request, self.fingerprints)
            case, new = open_or_join(changes, file, request, provided, trace)
            if not new:
                await _check(tx, case, request.words, who)
            await keep_words(tx, file, case, request.words, who, self._keep_notes)
            return file, case, new

    async def open_of_system(
        self, tx: Tx, wanted: Mapping[UUID, list[Request]], traces: Mapping[UUID, str | None]
    ) -> None:
        """Open the system's own cases of many orders at once. What is open or has been paid is left alone."""
        async with self._changes(tx, SYSTEM, traces) as changes:
            await lock(tx, wanted)
            for order_id, file in sorted((await load(tx, list(wanted))).items()):
                if file.order.row.paid_at is None:
                    continue
                for request in wanted[order_id]:
                    case_id, _ = case_ids(order_id, request.key)
                    covered = request.charge_id is None and file.left_minor <= 0
                    if file.case(case_id) is None and not covered:
                        begin(changes, file, _of_system(order_id, case_id, request, tx.now, traces.get(order_id)))

    # --- following --------------------------------------------------------------------------------------------------

    async def decide(self, tx: Tx, orders: Collection[UUID], traces: Mapping[UUID, str | None] | None = None) -> None:
        """Bring the open cases of these orders up to date. One statement where there are none."""
        waiting = await busy(tx, orders)
        if not waiting:
            return
        async with self._changes(tx, SYSTEM, traces or {}) as changes:
            await lock(tx, waiting)
            for _, file in sorted((await load(tx, waiting)).items()):
                for case in file.cases:
                    consider(changes, file, case)

    async def find(self, tx: Tx, order_id: UUID, who: str, found: Finding, case_id: UUID, trace: str | None) -> Case:
        """Record what an agent found, and decide. Raises UnknownOrderError, NotAllowedError."""
        async with self._changes(tx, who, {order_id: trace}) as changes:
            file = await self._file(tx, order_id)
            case = _open(file, case_id, who, found)
            detail = {name: value for name in Finding.__slots__ if (value := getattr(found, name)) not in (None, False)}
            changes.audit.add("found", case, **detail)
            _note(case, found, tx.now)
            case.found_by = who
            if awaits_appeal(case):
                case.appeal_answered_at = tx.now
            consider(changes, file, case, person=True, fresh=True)
            return case

    async def uphold(self, tx: Tx, order_id: UUID, who: str, case_id: UUID, trace: str | None) -> Case:
        """Answer an appeal without a new finding: the facts as they are decide again, by another agent (RF 6)."""
        return await self.find(tx, order_id, who, Finding(), case_id, trace)

    async def appeal(
        self, tx: Tx, order_id: UUID, case_id: UUID, *, who: str, words: tuple[tuple[str, str], ...], trace: str | None
    ) -> tuple[CaseFile, Case]:
        """Reopen a denied case for another agent. Appealing twice joins.

        Raises UnknownOrderError, NotAllowedError; LimitError where it would join.
        """
        async with self._changes(tx, who, {order_id: trace}) as changes:
            file = await self._file(tx, order_id)
            case = file.case(case_id)
            if case is None:
                raise UnknownOrderError
            if awaits_appeal(case):
                await _check(tx, case, words, who)
            await keep_words(tx, file, case, words, who, self._keep_notes)
            if awaits_appeal(case):
                changes.audit.add("appeal_repeated", case)
                return file, case
            if case.closed_as != "denied":
                raise NotAllowedError("Only a denied request can be appealed.")
            if any(one.ground == case.ground and one.closed_at is None for one in file.cases):
                raise NotAllowedError("A newer request on the same ground is open; it will be answered.")
            case.closed_at = case.closed_as = None
            case.observe_after = tx.now
            case.appealed_at, case.appeal_of, case.appeal_answered_at = tx.now, case.found_by or case.decided_by, None
            case.appeal_answer_by = answer_by(changes, file, tx.now)
            changes.audit.add("appealed", case, answer_by=case.appeal_answer_by.isoformat())
            tx.publish(events.appeal_received(file, case, tx.now), trace=trace)
            consider(changes, file, case, fresh=True)
            return file, case

    async def note(self, tx: Tx, order_id: UUID, case_id: UUID, who: str, text: str) -> None:
        """Keep an agent's note. Raises UnknownOrderError."""
        async with self._changes(tx, who, {}) as changes:
            file = await self._file(tx, order_id)
            case = file.case(case_id)
            if case is None:
                raise UnknownOrderError
            await keep_words(tx, file, case, (("note", text),), who, self._keep_notes)
            changes.audit.add("noted", case)

    # --- within -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _changes(self, tx: Tx, who: str, traces: Mapping[UUID, str | None]) -> AsyncIterator[CaseChanges]:
        changes = CaseChanges(tx, Audit(tx, who), self.policies, self.metrics, self._patience, traces)
        yield changes
        await save(tx, changes.changed)
        await tx.insert(decisions, changes.decided, on_conflict="")
        await changes.audit.write()

    async def _file(self, tx: Tx, order_id: UUID) -> CaseFile:
        await lock(tx, [order_id])
        file = (await load(tx, [order_id])).get(order_id)
        if file is None:
            raise UnknownOrderError
        return file


async def _check(tx: Tx, case: Case, words: Sequence[tuple[str, str]], who: str) -> None:
    """Raises LimitError."""
    await check_case(tx, case.case_id, sorted({note_id(case.case_id, kind, text) for kind, text in words}), who)


def _about_surplus(file: CaseFile, request: Request) -> Request:
    """Whoever says to be charged twice joins the case of the surplus capture, where the bank told of one."""
    if request.reason != DOUBLE_CHARGE or not file.order.charges:
        return request
    charge_id = file.order.charges[0].charge_id
    return replace(request, ground=f"{DOUBLE_CHARGE}:{charge_id}", charge_id=charge_id)


_UNREVOKED = (WhyPerson.REVOCATION_UNANSWERED, WhyPerson.REVOCATION_REFUSED)


def _open(file: CaseFile, case_id: UUID, who: str, found: Finding) -> Case:
    case = file.case(case_id)
    if case is None:
        raise UnknownOrderError
    if case.closed_at is not None or case.refund_id is not None:
        raise NotAllowedError("The case is decided. A denied one is reopened by an appeal.")
    if found.pay_unrevoked and case.person_why not in _UNREVOKED:
        raise NotAllowedError("The case does not wait for a profile that cannot be taken back.")
    if is_revoking(case) and not found.pay_unrevoked:
        raise NotAllowedError("The refund is approved and the profile is being taken out of use; its answer decides.")
    if awaits_appeal(case) and case.appeal_of == who:
        raise NotAllowedError("An appeal is decided by somebody else than who decided before (RF 6).")
    return case


def _note(case: Case, found: Finding, now: datetime) -> None:
    if found.finding is not None:
        case.finding, case.found_at = found.finding, now
    if found.restored:
        case.restored_at = case.restored_at or now
    if found.profile is not None:
        case.profile_finding, case.profile_found_at = found.profile, now
    case.pay_unrevoked = found.pay_unrevoked or case.pay_unrevoked
    for name in ("fair_use_violated", "buyer_caused_delay", "legal_rule"):
        if (value := getattr(found, name)) is not None:
            setattr(case, name, value)


def _of_system(order_id: UUID, case_id: UUID, request: Request, now: datetime, trace: str | None) -> Case:
    known: dict[str, Any] = {"reason": request.reason, "charge_id": request.charge_id}
    return Case(
        case_id=case_id,
        order_id=order_id,
        ground=request.key,
        origin=SYSTEM,
        requested_at=now,
        received_at=min(request.received_at or now, now),
        trace=trace,
        **known,
    )
