"""Records reports about profiles: judges and stores each, and publishes ProfileObserved where something changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from provisioning.clients.reports import Report
from provisioning.generation import EarlyExpiries
from provisioning.lifecycle import store
from provisioning.lifecycle.models.knowledge import Facts, Known, Verdict
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.lifecycle.notices import Notices
from provisioning.lifecycle.rules.judgement import judge
from provisioning.lifecycle.rules.polling import next_query_at
from provisioning.operators import Operators
from shared.contracts import ProfileObserved
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.problems import LimitReachedError
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Verdicts of our own queries that are not stored as observations: `lives.known` has the newer times.
_NO_NEWS = {Verdict.CONFIRMED, Verdict.KNOWN, Verdict.NOTED}
#: Different reports of 24 hours that are stored, of one profile and of ICCIDs that are none of the operator's profiles.
#: A feed that pushes every two minutes sends 720 a day; whoever has an operator's secret must not fill the table.
MOST_REPORTS, MOST_UNKNOWN = 1000, 5000
_DAY = timedelta(days=1)
_SUSPICIOUS = {
    Verdict.BACKWARDS,
    Verdict.FUTURE,
    Verdict.IMPLAUSIBLE,
    Verdict.OTHER_DEVICE,
    Verdict.UNKNOWN_ICCID,
}


@dataclass(frozen=True, slots=True)
class SourcedReport:
    """A report about the profile of an ICCID, from one operator.

    `id` is the same for each repetition of the same report. It is None for an answer to our own query, which is stored
    only where it changes something. `detail` is for people: codes and our own words, no secrets. `queried`: the report
    answers our own query.
    """

    operator: str
    iccid: str
    report: Report
    id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    trace: str | None = None
    queried: bool = False


@dataclass(slots=True)
class _Folding:
    """One profile while reports are applied to it."""

    profile: IssuedProfile
    before: Facts
    known: Known
    queried_at: datetime | None = None
    trace: str | None = None


class Observations:
    """Records reports; every source of reports uses it."""

    def __init__(
        self,
        operators: Operators,
        skew: timedelta,
        registry: CollectorRegistry,
        early_expiries: EarlyExpiries,
        notices: Notices,
    ) -> None:
        self._operators = operators
        self._notices = notices
        self._skew = skew
        self._early_expiries = early_expiries
        self.verdicts = Counter(
            "profile_reports",
            "Reports about profiles, by operator, source and verdict",
            ["operator", "source", "verdict"],
            registry=registry,
        )

    async def record_observation(self, tx: Tx, reports: Sequence[SourcedReport]) -> dict[UUID, IssuedProfile]:
        """Apply reports in this transaction; returns the profiles that they are about, as they are now, locked.

        Reports may come in any order; a repetition changes nothing. ProfileObserved is published once for each profile
        of which more than a time changed, and DataLow where a threshold of used data is newly reached.
        """
        profiles = await store.issued_profiles_by_iccid(tx, (one.iccid for one in reports), lock=True)
        folding = {iccid: _Folding(profile, profile.facts, profile.known) for iccid, profile in profiles.items()}
        # After the lock: a transaction that recorded the same report has committed by now.
        stored = await store.seen(tx, (one.id for one in reports if one.id is not None))
        rows: dict[UUID, dict[str, Any]] = {}
        for one in reports:
            if one.id is not None and (one.id in stored or one.id in rows):
                self._count(one, "replayed")
                continue
            verdict, order_id = self._judge(tx, one, folding.get(one.iccid))
            self._count(one, verdict)
            if one.id is not None or verdict not in _NO_NEWS:
                row = _row(tx, one, verdict, folding[one.iccid].profile if order_id else None)
                rows[row["id"]] = row
        await store.observe(tx, list(rows.values()))
        return await self._keep(tx, folding)

    async def record_sent(self, tx: Tx, sourced: SourcedReport) -> None:
        """The same for one report that an operator sent by itself. Raises LimitReachedError (429): roll back."""
        profiles = await self.record_observation(tx, [sourced])
        own = (profile.order_id for profile in profiles.values() if profile.operator == sourced.operator)
        order_id = next(own, None)
        most = MOST_UNKNOWN if order_id is None else MOST_REPORTS
        count = await store.count_reports(tx, sourced.operator, order_id, tx.now - _DAY, most + 1)
        if count > most:
            whose = "about ICCIDs that are none of this operator's profiles" if order_id is None else "of this profile"
            raise LimitReachedError(
                "reports",
                f"{most} different reports {whose} were stored within 24 hours, and no more are. None is needed: the "
                "operator is queried for the state of every profile.",
                again=_DAY,
            )

    def _judge(self, tx: Tx, sourced: SourcedReport, folding: _Folding | None) -> tuple[Verdict, UUID | None]:
        if folding is None or folding.profile.operator != sourced.operator:
            # An operator may report about its own profiles only.
            return Verdict.UNKNOWN_ICCID, None
        profile = folding.profile
        report, unparsed = sourced.report.within(profile.paid_at - self._skew, tx.now + self._skew)
        self._operators.unparsed_fields.count(sourced.operator, {f"report.{name}" for name in unparsed})
        if profile.devices_erased_at is not None:
            report = replace(report, eid=None)
        folding.known, verdict = judge(folding.known, report, now=tx.now, sold_at=profile.paid_at, skew=self._skew)
        folding.queried_at = tx.now if sourced.queried else folding.queried_at
        folding.trace = sourced.trace or folding.trace
        return verdict, profile.order_id

    async def _keep(self, tx: Tx, folding: Mapping[str, _Folding]) -> dict[UUID, IssuedProfile]:
        changed = {}
        after: dict[UUID, IssuedProfile] = {}
        for one in folding.values():
            profile = one.profile
            now = replace(profile, known=one.known)
            look_at = (
                self._query_after_report(now, tx.now) if one.queried_at is None else self.next_query_at(now, tx.now)
            )
            # A profile that is due stays due: a report must not postpone its expiry.
            if profile.look_at is not None and look_at is not None and not one.queried_at:
                look_at = min(look_at, profile.look_at)
            changed[profile.order_id] = (one.known, look_at, one.queried_at)
            now = replace(now, look_at=look_at)
            after[profile.order_id] = now
            if now.facts.differs(one.before):
                self._check_expiry(now, one.before)
                tx.publish(observed(now, tx.now), trace=one.trace or profile.trace)
        await store.save(tx, changed)
        await self._notices.publish_low_data(tx, after.values())
        return after

    def _check_expiry(self, profile: IssuedProfile, before: Facts) -> None:
        """Count an operator that ends an unused profile before the day that the buyer was promised (RC 7)."""
        facts = profile.facts
        ends_at = facts.operator_ends_at
        if ends_at is None or ends_at == before.operator_ends_at or facts.activated_at is not None:
            return
        if ends_at < profile.valid_until:
            self._early_expiries.count(profile.operator, ends_at, profile.valid_until)

    def _query_after_report(self, profile: IssuedProfile, now: datetime) -> datetime | None:
        """When the profile is due after a report that nobody asked for: at once where the report lacks the total."""
        observable = self._operators.reports_usage(profile.operator)
        return now if observable and self._notices.lacks_total(profile) else self.next_query_at(profile, now)

    def next_query_at(self, profile: IssuedProfile, now: datetime) -> datetime | None:
        """When the profile is due again."""
        observable = self._operators.reports_usage(profile.operator)
        course = profile.course(observable=observable, announce_at=self._notices.announce_at(profile))
        return next_query_at(course, now)

    def _count(self, sourced: SourcedReport, verdict: str) -> None:
        self.verdicts.labels(sourced.operator, sourced.report.source, str(verdict)).inc()
        if verdict in _SUSPICIOUS:
            log.warning(
                "suspicious_report", operator=sourced.operator, source=sourced.report.source, verdict=str(verdict)
            )


def observed(
    profile: IssuedProfile, now: datetime, *, case_id: UUID | None = None, reached: bool = True
) -> ProfileObserved:
    """The event with everything that is stored about a profile."""
    facts = profile.facts
    return ProfileObserved(
        **profile.subject(),
        operator=profile.operator,
        install=facts.install,
        usage=facts.usage,
        downloaded_at=facts.downloaded_at,
        installed_at=facts.installed_at,
        activated_at=facts.activated_at,
        first_used_at=facts.first_use_at,
        deleted_at=facts.deleted_at,
        plan_ends_at=profile.plan_ends_at,
        case_id=case_id,
        reached=reached,
        observed_at=now,
    )


def _row(tx: Tx, sourced: SourcedReport, verdict: Verdict, profile: IssuedProfile | None) -> dict[str, Any]:
    report = {name: _plain(value) for name, value in asdict(sourced.report).items() if value not in (None, False)}
    if profile is not None and profile.devices_erased_at is not None:
        report.pop("eid", None)
    return {
        "id": sourced.id or uuid7(),
        "order_id": profile.order_id if profile else None,
        "iccid": sourced.iccid,
        "operator": sourced.operator,
        "source": sourced.report.source,
        "verdict": str(verdict),
        "at": sourced.report.at,
        "received_at": tx.now,
        "report": report,
        "detail": dict(sourced.detail),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
