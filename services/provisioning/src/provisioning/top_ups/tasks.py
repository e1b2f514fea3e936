"""Action `top_up` of the task `life`: a paid order extends an eSIM exactly once, or fails, and its money goes back."""

from collections.abc import Sequence

from provisioning.clients.models import AppliedTopUp, OperatorNotSent, OperatorRefused, OperatorUnknown, TopUpOrder
from provisioning.clients.reports import Report
from provisioning.generation.rules.failover import pause
from provisioning.lifecycle import Observations, SourcedReport, issued_profiles, operator_of
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.operators import Operators
from provisioning.top_ups import rules, store
from provisioning.top_ups.handlers import failed_event
from provisioning.top_ups.models import Failure, Settlement, TopUpRow
from shared.contracts import TopUpApplied, order_fields
from shared.database import Database, Tx
from shared.ids import uuid_for
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome, Unknown
from shared.tasks import Task, TaskResult
from shared.tasks.worker import backoff

_SOURCE = "operator-top-up"
TopUpResult = TaskResult[AppliedTopUp, LifecyclePayload]
_Applied = tuple[TopUpRow, AppliedTopUp, str | None]


class TopUp:
    """Extends eSIMs at their operators, once each: the order's number is the key of each repetition."""

    def __init__(self, operators: Operators, database: Database, observations: Observations) -> None:
        self._operators = operators
        self._database = database
        self._observations = observations

    async def perform(  # noqa: PLR0911 - one return for each outcome
        self, task: Task[LifecyclePayload]
    ) -> Outcome[AppliedTopUp]:
        """Call the operator until it applies or refuses the top-up, or the order's deadline is over."""
        async with self._database.reading() as tx:
            row = (await store.read(tx, [task.payload.order_id]))[task.payload.order_id]
            esim = (await issued_profiles(tx, [row.esim]))[row.esim]
        now = self._database.clock.now()
        if not task.uncertain:
            if why := esim.ended():
                return OperatorRefused("ended", rules.ended(why))
            if task.attempts and now >= row.deadline:
                return OperatorRefused("deadline", "The operator did not extend the eSIM in time.")
        operator = operator_of(self._operators, esim)
        if isinstance(operator, NeedsPerson):
            return operator
        outcome = await operator.top_up(self._wanted(row, esim, task), trace=task.continues)
        if isinstance(outcome, Done | OperatorRefused):
            return outcome
        uncertain = task.uncertain or isinstance(outcome, OperatorUnknown)
        delay = pause(backoff(task.attempts), now, row.deadline)
        if delay is not None:
            return Unknown(outcome.reason, delay) if uncertain else NotSent(outcome.reason, delay)
        if uncertain:
            # It may have been applied, and cannot be reversed (RC 4): no money moves before somebody knows.
            return NeedsPerson(f"the deadline is over; whether the top-up was applied is unknown: {outcome.reason}")
        statuses = outcome.statuses if isinstance(outcome, OperatorNotSent) else ()
        reason = f"The operator did not extend the eSIM in time; {outcome.reason}."
        return OperatorRefused("deadline", reason, statuses)

    def _wanted(self, row: TopUpRow, esim: IssuedProfile, task: Task[LifecyclePayload]) -> TopUpOrder:
        plan = row.plan
        offers = self._operators.offers(row.storefront, plan.profile_type)
        own = next((offer.profile_type for offer in offers if offer.operator == esim.operator), esim.profile_type)
        return TopUpOrder(row.order_number, esim.iccid, own, plan.data_mb, plan.validity_days, uncertain=task.uncertain)

    async def record(self, tx: Tx, results: Sequence[TopUpResult]) -> None:
        """Settle each top-up once, extend the eSIMs, and publish TopUpApplied or ProfileFailed."""
        traces = {result.task.payload.order_id: result.task.continues for result in results}
        settlements = {result.task.payload.order_id: _settlement(result) for result in results}
        rows = await store.read(tx, sorted(settlements, key=lambda order_id: order_id.int))
        await issued_profiles(tx, (row.esim for row in rows.values()), lock=True)
        applied: list[_Applied] = []
        for order_id in await store.settle(tx, settlements):
            row, settlement, trace = rows[order_id], settlements[order_id], traces[order_id]
            if isinstance(settlement, AppliedTopUp):
                applied.append((row, settlement, trace))
            else:
                tx.publish(failed_event(row, settlement.reason, tx.now, settlement.statuses), trace=trace)
        if applied:
            await self._extend(tx, applied)

    async def _extend(self, tx: Tx, applied: Sequence[_Applied]) -> None:
        await store.extend(tx, [row for row, _, _ in applied])
        await self._observations.record_observation(tx, [_report(tx, *one) for one in applied])
        esims = await issued_profiles(tx, (row.esim for row, _, _ in applied))
        events = [_applied_event(tx, row, esims[row.esim], top_up) for row, top_up, _ in applied]
        await store.save_totals(tx, events)
        for event, (_, _, trace) in zip(events, applied, strict=True):
            tx.publish(event, trace=trace)


def _settlement(result: TopUpResult) -> Settlement:
    match result.outcome:
        case Done(top_up):
            return top_up
        case OperatorRefused() as refusal:
            return Failure(refusal.reason, refusal.statuses)
        case refusal:
            return Failure(refusal.reason)


def _report(tx: Tx, row: TopUpRow, top_up: AppliedTopUp, trace: str | None) -> SourcedReport:
    report = Report(_SOURCE, tx.now, total_bytes=top_up.total_bytes, ends_at=top_up.ends_at)
    key = uuid_for("top-up", str(row.order_id))
    return SourcedReport(row.operator, row.iccid or "", report, key, {"order_number": row.order_number}, trace)


def _applied_event(tx: Tx, row: TopUpRow, esim: IssuedProfile, top_up: AppliedTopUp) -> TopUpApplied:
    total = top_up.total_bytes
    return TopUpApplied(
        **order_fields(row),
        iccid=row.iccid or "",
        plan=row.plan,
        operator=row.operator,
        esim_order_id=row.esim,
        plan_ends_at=esim.plan_ends_at,
        total_bytes=esim.plan.data_mb * store.MEBIBYTE + esim.extra_bytes if total is None else total,
        paid_at=row.paid_at,
        applied_at=tx.now,
    )
