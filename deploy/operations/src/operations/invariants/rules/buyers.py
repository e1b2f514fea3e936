"""Invariants of promises to buyers (deadlines, erasure), and of the times of facts."""

from datetime import timedelta

from operations.invariants.rules.base import NO_ORDER, OrderInvariant

_APPEALED = "c.appealed_at IS NOT NULL AND c.appealed_at > COALESCE(c.denied_at, '-infinity')"
_MISSING = ", ".join(
    f"CASE WHEN e.{service}_at IS NULL THEN '{service}' END"
    for service in ("payments", "provisioning", "notifications", "refunds")
)


class CaseOverdue(OrderInvariant):
    """No refund case stays open past its deadline.

    An appeal has to be answered by the day that was named (RF 6). A request has 21 days, more than the 10 business days
    that any policy allows for a decision (RF 5.1). They begin again when missing information arrives, and do not run
    while it is missing. Refunds itself knows every deadline to the hour (alarm RefundDeadlineMissed).
    """

    name = "case_overdue"
    after = timedelta(days=21)
    source = "cases c JOIN orders o USING (order_id)"
    subject = "c.case_id"
    where = f"""
      c.approved_at IS NULL AND c.requested_known_at <= :as_of AND (
        ({_APPEALED} AND COALESCE(c.appeal_answer_by, c.appealed_at + interval '30 days') <= :as_of)
        OR (c.denied_at IS NULL AND c.requested_at <= :late AND (
          c.information_asked_at IS NULL
          OR (c.information_asked_at < c.requested_again_at AND c.information_asked_at <= :late))))
      AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = c.order_id AND r.charge_id IS NULL
        AND r.approved_at IS NOT NULL AND c.reason IS DISTINCT FROM 'double_charge')"""
    since = f"CASE WHEN {_APPEALED} THEN c.appealed_at ELSE c.requested_at END"
    detail = "jsonb_build_object('case_id', c.case_id, 'reason', c.reason)"


class ErasureUnconfirmed(OrderInvariant):
    """A buyer who requests erasure is erased by all five services within a day (PP 6.2).

    A buyer confirmed the request, and 24 hours later a service has not confirmed the erasure. Ordering erases before it
    asks the others; `missing` names the services without an answer.
    """

    name = "erasure_unconfirmed"
    after = timedelta(hours=24)
    source = "erasures e"
    subject = "e.request_id"
    order = NO_ORDER
    where = (
        "e.requested_at <= :late AND e.requested_known_at <= :as_of"
        " AND num_nulls(e.payments_at, e.provisioning_at, e.notifications_at, e.refunds_at) > 0"
    )
    since = "e.requested_at"
    detail = f"jsonb_build_object('missing', array_to_string(ARRAY[{_MISSING}], ', '))"


class FromTheFuture(OrderInvariant):
    """No fact comes from the future.

    The time of a fact, or of its publication, is more than 30 seconds after its arrival here: our clock or the clock of
    its service is wrong, or a time zone was lost. Deadlines and sequences cannot be trusted then. The violation is open
    for ten minutes, or until that time has passed.
    """

    name = "from_the_future"
    severity = "ticket"
    after = timedelta(seconds=30)
    source = "facts f LEFT JOIN orders o USING (order_id)"
    subject = "f.event_id"
    where = (
        "GREATEST(f.at, f.told_at) - f.known_at > interval '10 seconds'"
        " AND GREATEST(f.at, f.told_at) - f.known_at > :after"
        " AND (f.known_at > CAST(:now AS timestamptz) - interval '10 minutes' OR GREATEST(f.at, f.told_at) > :now)"
    )
    since = "f.known_at"
    detail = "jsonb_build_object('topic', f.topic, 'at', f.at, 'told_at', f.told_at)"


BUYERS = (CaseOverdue(), ErasureUnconfirmed(), FromTheFuture())
