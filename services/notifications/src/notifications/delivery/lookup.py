"""Reads mails that are due from the tables: whoever asks while a query is under way shares the next one.

Most mails are sent from memory (delivery/cache.py). In a backlog none is, and a query for each would make it longer.
"""

import asyncio
from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from uuid import UUID

from notifications.delivery.cache import Mailed
from notifications.delivery.rules import COLUMNS
from shared.database import Database

_DUE = f"""
SELECT m.kind, m.subject_id, m.facts, m.state, c.name, c.email, c.language, c.phone, c.blocked,
       {", ".join(f"o.{column}" for column in COLUMNS)}
FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS uuid[])) AS asked(kind, subject_id)
  JOIN mails m USING (kind, subject_id)
  LEFT JOIN contacts c ON c.buyer_id = m.buyer_id AND c.erased_at IS NULL
  LEFT JOIN orders o ON o.order_id = m.order_id
"""


class Lookup:
    """One query at a time, for all who wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: dict[Mailed, asyncio.Future[Any]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def row(self, kind: str, subject_id: UUID) -> Any:
        """The mail's row, with its buyer's contact and its order. Raises LookupError where there is no such mail."""
        answer = self._asked.get((kind, subject_id))
        if answer is None:
            answer = self._asked[kind, subject_id] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(answer)

    async def _read(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                await self._answer(asked)
        finally:
            self._reading = None

    async def _answer(self, asked: Mapping[Mailed, "asyncio.Future[Any]"]) -> None:
        kinds, subjects = zip(*sorted(asked, key=itemgetter(1)), strict=True)
        try:
            async with self._database.reading() as tx:
                rows = (await tx.execute(_DUE, kinds=list(kinds), subjects=list(subjects))).all()
        except Exception as error:  # noqa: BLE001 - raised where it was asked
            for answer in asked.values():
                answer.set_exception(error)
            return
        found = {(row.kind, row.subject_id): row for row in rows}
        for mailed, answer in asked.items():
            if mailed in found:
                answer.set_result(found[mailed])
            else:
                answer.set_exception(LookupError(f"no mail {mailed[0]} about {mailed[1]}"))
