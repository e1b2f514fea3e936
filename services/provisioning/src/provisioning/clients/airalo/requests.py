"""Our calls to a reseller, stored before each call that must not be made twice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

from provisioning.clients.airalo.messages import Notice
from shared.clock import Clock
from shared.database import Database
from shared.kernel.problems import LimitReachedError

_READ = """
SELECT r.asked_at, r.request_id, r.refund_asked_at, r.refund_id, n.code, n.received_at
FROM airalo_requests r
LEFT JOIN airalo_notices n
  ON n.operator = r.operator AND (n.request_id = r.request_id OR (r.request_id IS NULL AND n.reference = r.reference))
WHERE r.operator = :operator AND r.reference = :reference
ORDER BY n.received_at DESC NULLS LAST LIMIT 1
"""
_ASK = """
INSERT INTO airalo_requests (operator, reference, asked_at) VALUES (:operator, :reference, :now)
ON CONFLICT (operator, reference) DO UPDATE SET asked_at = EXCLUDED.asked_at, request_id = NULL
"""
_ACCEPTED = """
UPDATE airalo_requests SET request_id = :request_id WHERE operator = :operator AND reference = :reference
"""
_NOTHING = """
UPDATE airalo_requests SET asked_at = NULL, request_id = NULL WHERE operator = :operator AND reference = :reference
"""
_REFUND = """
INSERT INTO airalo_requests (operator, reference, refund_asked_at, refund_id)
VALUES (:operator, :reference, CAST(:at AS timestamptz), CAST(:refund_id AS text))
ON CONFLICT (operator, reference) DO UPDATE
SET refund_asked_at = EXCLUDED.refund_asked_at, refund_id = EXCLUDED.refund_id
"""
_USAGE = """
INSERT INTO airalo_usage AS u (operator, iccid, asked_at) VALUES (:operator, :iccid, :now)
ON CONFLICT (operator, iccid) DO UPDATE
SET asked_at = CASE WHEN u.asked_at <= :over THEN EXCLUDED.asked_at ELSE u.asked_at END
RETURNING asked_at
"""
_NOTICE = """
INSERT INTO airalo_notices (operator, request_id, reference, code, received_at)
VALUES (:operator, :request_id, CAST(:reference AS text), CAST(:code AS int), :now)
ON CONFLICT (operator, request_id) DO NOTHING RETURNING request_id
"""
#: Webhooks about the same order, or without a reference, wait for each other, so that they are counted correctly.
_LOCK_NOTICES = """
SELECT pg_advisory_xact_lock(hashtextextended(
  'airalo ' || CAST(:operator AS text) || ' ' || COALESCE(CAST(:reference AS text), ''), 0))
"""
_IS_OURS = "SELECT 1 FROM airalo_requests WHERE operator = :operator AND reference = CAST(:reference AS text)"
_COUNT_NOTICES = """
SELECT CASE WHEN CAST(:reference AS text) IS NULL
  THEN (SELECT count(*) FROM airalo_notices
        WHERE operator = :operator AND reference IS NULL AND received_at > :since)
  ELSE (SELECT count(*) FROM airalo_notices WHERE operator = :operator AND reference = CAST(:reference AS text)) END
"""
#: An order is called for again where a call certainly did nothing, each time with a new request id.
MOST_OF_REFERENCE = 50
#: Webhooks of 24 hours whose description could not be read. Each is only a hint: the list of orders is read anyway.
MOST_UNNAMED = 1000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AiraloRequest:
    """An earlier call. `reported_at`: a webhook about it was received, with `code` where the order failed."""

    requested_at: datetime | None
    request_id: str | None
    refund_requested_at: datetime | None
    refund_id: str | None
    code: int | None
    reported_at: datetime | None


class AiraloRequests:
    """The stored calls to one operator. Each method is one transaction."""

    def __init__(self, database: Database, operator: str) -> None:
        self._database = database
        self._operator = operator

    @property
    def clock(self) -> Clock:
        return self._database.clock

    async def of(self, reference: str) -> AiraloRequest | None:
        """The call under this reference; None where there was none."""
        async with self._database.reading() as tx:
            row = (await tx.execute(_READ, operator=self._operator, reference=reference)).one_or_none()
        if row is None:
            return None
        return AiraloRequest(
            row.asked_at, row.request_id, row.refund_asked_at, row.refund_id, row.code, row.received_at
        )

    async def about_to_call(self, reference: str) -> None:
        """Store that the call is about to be made."""
        async with self._database.transaction("work") as tx:
            await tx.execute(_ASK, operator=self._operator, reference=reference, now=tx.now)

    async def accepted(self, reference: str, request_id: str) -> None:
        """Store that the call was accepted; the reseller will carry it out."""
        async with self._database.transaction("work") as tx:
            await tx.execute(_ACCEPTED, operator=self._operator, reference=reference, request_id=request_id)

    async def nothing_done(self, reference: str) -> None:
        """Store that the call certainly did nothing, so that it may be repeated."""
        async with self._database.transaction("work") as tx:
            await tx.execute(_NOTHING, operator=self._operator, reference=reference)

    async def refund(self, reference: str, at: datetime | None, refund_id: str | None = None) -> None:
        """Store that a refund is requested (`at`), was registered (`refund_id`), or certainly was not (both None)."""
        async with self._database.transaction("work") as tx:
            await tx.execute(_REFUND, operator=self._operator, reference=reference, at=at, refund_id=refund_id)

    async def usage_since(self, iccid: str, cached: timedelta) -> datetime:
        """Since when the reseller has shown the usage that it shows now."""
        async with self._database.transaction("work") as tx:
            rows = await tx.execute(_USAGE, operator=self._operator, iccid=iccid, now=tx.now, over=tx.now - cached)
            since: datetime = rows.scalar()
        return since

    async def notice(self, notice: Notice) -> Literal["stored", "known", "not ours"]:
        """Store a webhook about an order of ours. Raises LimitReachedError (409, 429): nothing is stored.

        A reference is stored before the call, so a webhook with another one is about an order that is not ours. One
        without a reference may be ours.
        """
        async with self._database.transaction("http") as tx:
            subject = {"operator": self._operator, "reference": notice.reference}
            await tx.execute(_LOCK_NOTICES, **subject)
            if notice.reference is not None and (await tx.execute(_IS_OURS, **subject)).first() is None:
                return "not ours"
            new = await tx.execute(_NOTICE, **subject, request_id=notice.request_id, code=notice.code, now=tx.now)
            if not new.all():
                return "known"
            count = (await tx.execute(_COUNT_NOTICES, **subject, since=tx.now - _DAY)).scalar()
            if notice.reference is not None and count > MOST_OF_REFERENCE:
                detail = f"{MOST_OF_REFERENCE} webhooks about this order are stored, and no more are."
                raise LimitReachedError("webhooks", detail, status=HTTPStatus.CONFLICT)
            if notice.reference is None and count > MOST_UNNAMED:
                detail = f"{MOST_UNNAMED} webhooks without a description were stored within 24 hours."
                raise LimitReachedError("webhooks", detail, again=_DAY)
        return "stored"
