"""Reports in, whatever brought them: judged, kept, and told to others where they changed something."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from provisioning.clients.reports import Report
from provisioning.generation.early_expiry import EarlyExpiries
from provisioning.lifecycle import store
from provisioning.lifecycle.models.knowledge import Facts, Known, Verdict
from provisioning.lifecycle.rules.judgement import judge
from provisioning.lifecycle.rules.polling import next_query_at
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from shared.contracts import ProfileObserved
from shared.database import Tx
from shared.ids import uuid7
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: These verdicts of a look of our own are no news: what is fresher is in `lives.known`.
_NO_NEWS = {Verdict.CONFIRMED, Verdict.KNOWN, Verdict.NOTED}
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

    `id` is the same however often the same thing is told; None for an answer to our own question, which is kept only
    where it says something new. `detail` is for people: codes and our own words, no secrets.
    """

    operator: str
    iccid: str
    report: Report
    id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    trace: str | None = None
    looked: bool = False


@dataclass(slots=True)
class _Folding:
    """One profile while a batch is applied to it."""

    life: IssuedProfile
    before: Facts
    known: Known
    looked_at: datetime | None = None
    trace: str | None = None


class Observations:
    """The one way in for everything that is said about profiles."""

    def __init__(
        self, operators: Operators, skew: timedelta, registry: CollectorRegistry, early_expiries: EarlyExpiries
    ) -> None:
        self._operators = operators
        self._skew = skew
        self._early_expiries = early_expiries
        self.verdicts = Counter(
            "profile_reports", "Reports about profiles", ["operator", "source", "verdict"], registry=registry
        )

    async def record_observation(self, tx: Tx, told: Sequence[SourcedReport]) -> dict[UUID, IssuedProfile]:
        """Apply reports in this transaction; returns the lives they were about, as they are now, locked.

        Any number, in any order; the same report again changes nothing. `profile-observed` is published once for each
        profile of which more than freshness changed.
        """
        found = await store.issued_profiles_by_iccid(tx, (one.iccid for one in told), lock=True)
        folding = {iccid: _Folding(life, life.facts, life.known) for iccid, life in found.items()}
        # After the lock: whoever told the same at the same time has committed by now.
        known_before = await store.seen(tx, (one.id for one in told if one.id is not None))
        rows: dict[UUID, dict[str, Any]] = {}
        for one in told:
            if one.id is not None and (one.id in known_before or one.id in rows):
                self._count(one, "replayed")
                continue
            verdict, order_id = self._judge(tx, one, folding.get(one.iccid))
            self._count(one, verdict)
            if one.id is not None or verdict not in _NO_NEWS:
                row = _row(tx, one, verdict, folding[one.iccid].life if order_id else None)
                rows[row["id"]] = row
        await store.observe(tx, list(rows.values()))
        return await self._keep(tx, folding)

    def _judge(self, tx: Tx, told: SourcedReport, folding: _Folding | None) -> tuple[Verdict, UUID | None]:
        if folding is None or folding.life.operator != told.operator:
            # An operator speaks for its own profiles only.
            return Verdict.UNKNOWN_ICCID, None
        life = folding.life
        report, unparsed = told.report.within(life.paid_at - self._skew, tx.now + self._skew)
        self._operators.unparsed_fields.count(told.operator, {f"report.{name}" for name in unparsed})
        if life.devices_erased_at is not None:
            report = replace(report, eid=None)
        folding.known, verdict = judge(folding.known, report, now=tx.now, sold_at=life.paid_at, skew=self._skew)
        folding.looked_at = tx.now if told.looked else folding.looked_at
        folding.trace = told.trace or folding.trace
        return verdict, life.order_id

    async def _keep(self, tx: Tx, folding: Mapping[str, _Folding]) -> dict[UUID, IssuedProfile]:
        changed = {}
        after: dict[UUID, IssuedProfile] = {}
        for one in folding.values():
            life = one.life
            look_at = self.next_query_at(life, one.known, tx.now)
            # What is due already stays due: a report must not put off the end of a profile's time.
            if life.look_at is not None and look_at is not None and not one.looked_at:
                look_at = min(look_at, life.look_at)
            changed[life.order_id] = (one.known, look_at, one.looked_at)
            now = replace(life, known=one.known, look_at=look_at)
            after[life.order_id] = now
            if now.facts.differs(one.before):
                self._check_expiry(now, one.before)
                tx.publish(observed(now, tx.now), trace=one.trace or life.trace)
        await store.save(tx, changed)
        return after

    def _check_expiry(self, life: IssuedProfile, before: Facts) -> None:
        """Alarm where the operator ends an unused profile before the day that the buyer was promised (RC 7)."""
        facts = life.facts
        ends_at = facts.operator_ends_at
        if ends_at is None or ends_at == before.operator_ends_at or facts.activated_at is not None:
            return
        if ends_at < life.valid_until:
            self._early_expiries.count(life.operator, ends_at, life.valid_until)

    def next_query_at(self, life: IssuedProfile, known: Known | None, now: datetime) -> datetime | None:
        """When the profile is due again."""
        name = life.operator
        observable = name in self._operators and self._operators[name].traits.reports_usage
        return next_query_at(life.course(known, observable=observable), now)

    def _count(self, told: SourcedReport, verdict: str) -> None:
        self.verdicts.labels(told.operator, told.report.source, str(verdict)).inc()
        if verdict in _SUSPICIOUS:
            log.warning("suspicious_report", operator=told.operator, source=told.report.source, verdict=str(verdict))


def observed(
    life: IssuedProfile, now: datetime, *, case_id: UUID | None = None, reached: bool = True
) -> ProfileObserved:
    """What is known of a profile, for everybody."""
    facts = life.facts
    return ProfileObserved(
        **life.subject(),
        operator=life.operator,
        install=facts.install,
        usage=facts.usage,
        downloaded_at=facts.downloaded_at,
        installed_at=facts.installed_at,
        activated_at=facts.activated_at,
        deleted_at=facts.deleted_at,
        plan_ends_at=life.plan_ends_at,
        case_id=case_id,
        reached=reached,
        observed_at=now,
    )


def _row(tx: Tx, told: SourcedReport, verdict: Verdict, life: IssuedProfile | None) -> dict[str, Any]:
    report = {name: _plain(value) for name, value in asdict(told.report).items() if value not in (None, False)}
    if life is not None and life.devices_erased_at is not None:
        report.pop("eid", None)
    return {
        "id": told.id or uuid7(),
        "order_id": life.order_id if life else None,
        "iccid": told.iccid,
        "operator": told.operator,
        "source": told.report.source,
        "verdict": str(verdict),
        "at": told.report.at,
        "received_at": tx.now,
        "report": report,
        "detail": dict(told.detail),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
