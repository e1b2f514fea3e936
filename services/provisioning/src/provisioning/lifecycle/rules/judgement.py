"""Judges a report: whether it counts, and what is known about the profile with it."""

from datetime import datetime, timedelta

from provisioning.clients.reports import Report
from provisioning.lifecycle.models.knowledge import Facts, Known, Verdict


def judge(known: Known, report: Report, *, now: datetime, sold_at: datetime, skew: timedelta) -> tuple[Known, Verdict]:
    """The knowledge with this report, and the verdict about it. A refused report changes nothing.

    `skew`: how far another machine's clock may be from ours.
    """
    if report.at > now + skew:
        return known, Verdict.FUTURE
    if report.at < sold_at - skew:
        return known, Verdict.IMPLAUSIBLE
    report, _ = report.within(sold_at - skew, now + skew)
    after = known.learn(report)
    if report.eid is not None and after.eid is not None and report.eid != after.eid:
        return (known if report.failed else after), Verdict.OTHER_DEVICE
    if report.failed:
        return known, Verdict.FAILED_STEP
    return after, _verdict(known, after, report)


def _verdict(known: Known, after: Known, report: Report) -> Verdict:
    before, now_known = known.facts, after.facts
    usage_at = report.usage_at or report.at
    older = before.usage.observed_at is None or usage_at <= before.usage.observed_at
    if report.used_bytes is not None and report.used_bytes < (before.usage.used_bytes or 0):
        if not older:
            return Verdict.BACKWARDS
        return Verdict.APPLIED if now_known.differs(before) else Verdict.STALE
    if now_known.differs(before):
        return Verdict.APPLIED
    if report.install == "unknown" and report.used_bytes is None and report.total_bytes is None:
        return Verdict.NOTED
    if now_known != before:
        return Verdict.CONFIRMED
    return Verdict.KNOWN if _same(now_known, report) else Verdict.STALE


def _same(facts: Facts, report: Report) -> bool:
    same_state = report.install in ("unknown", facts.install.state)
    return same_state and report.used_bytes in (None, facts.usage.used_bytes)
