"""Reads emails that are due: from memory right after they became due, later from the tables.

Requests that arrive while a query is running share the next query. In a backlog no email is in memory, and a query for
each would make the backlog longer.
"""

import asyncio
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from notifications.delivery.cache import RecentEmails
from notifications.delivery.models import Contact, DueEmail, EmailKey
from notifications.delivery.rules import BESIDE, COLUMNS, EVEN_IF_BLOCKED, NEEDS_BESIDE, is_over, is_pointless
from shared.contracts import OrderEvent
from shared.database import Database

_DUE = f"""
SELECT m.kind, m.subject_id, m.facts, m.state, c.name, c.email, c.language, c.phone, c.company, c.blocked,
       {", ".join(f"o.{column}" for column in COLUMNS)},
       CASE WHEN m.kind = ANY(CAST(:needs AS text[]))
            THEN ARRAY(SELECT other.kind FROM mails other WHERE other.order_id = m.order_id) END AS {BESIDE}
FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS uuid[])) AS requested(kind, subject_id)
  JOIN mails m USING (kind, subject_id)
  LEFT JOIN contacts c ON c.buyer_id = m.buyer_id AND c.erased_at IS NULL
  LEFT JOIN orders o ON o.order_id = m.order_id
"""


class DueEmailReader:
    """Reads the event and the contact of a due email, and whether it is to be sent."""

    def __init__(self, database: Database, recent: RecentEmails) -> None:
        self._database = database
        self._recent = recent
        self._rows = RowReader(database)

    async def read(self, email: EmailKey, event_class: type[OrderEvent]) -> DueEmail:
        """Raises LookupError if there is no such email."""
        now = self._database.clock.now()
        if (due := self._recent.take(email)) is not None:
            return DueEmail(due.event, None) if is_over(due.event, now) else due
        row = await self._rows.row(email)
        if row.state != "due" or row.email is None:
            return DueEmail(None, None)
        event = event_class.model_validate(row.facts)
        if is_pointless(email.kind, row._asdict(), event) or is_over(event, now):
            return DueEmail(event, None)
        if row.blocked and email.kind not in EVEN_IF_BLOCKED:
            return DueEmail(event, None, withheld=True)
        return DueEmail(event, Contact.of(row))


class RowReader:
    """Reads rows of `mails` with one query at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._requested: dict[EmailKey, asyncio.Future[Any]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def row(self, email: EmailKey) -> Any:
        """The email's row, with its buyer's contact and its order. Raises LookupError if there is no such email."""
        future = self._requested.get(email)
        if future is None:
            future = self._requested[email] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(future)

    async def _read(self) -> None:
        try:
            while self._requested:
                requested, self._requested = self._requested, {}
                await self._answer(requested)
        finally:
            self._reading = None

    async def _answer(self, requested: Mapping[EmailKey, "asyncio.Future[Any]"]) -> None:
        kinds, subjects = zip(*sorted(requested, key=itemgetter(1)), strict=True)
        try:
            async with self._database.reading() as tx:
                result = (
                    await tx.execute(_DUE, kinds=list(kinds), subjects=list(subjects), needs=list(NEEDS_BESIDE))
                ).all()
        except Exception as error:  # noqa: BLE001 - raised by each waiting call of `row`
            for future in requested.values():
                future.set_exception(error)
            return
        rows = {EmailKey(row.kind, row.subject_id): row for row in result}
        for email, future in requested.items():
            if email in rows:
                future.set_result(rows[email])
            else:
                future.set_exception(LookupError(f"no email of kind {email.kind} about {email.subject_id}"))
