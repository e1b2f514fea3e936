"""Mails that are due are read together, and each asker gets its own."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from notifications.delivery.models import EmailKey
from notifications.delivery.reader import RowReader
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.testing.documents import Row

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Notifications, Start

_MAILS = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, created_at)
SELECT 'qr', s.id, s.id, s.id, '{}', 'due', :now FROM unnest(CAST(:subjects AS uuid[])) AS s(id)
"""


class Counting:
    """A database that counts its readings, and fails on request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.readings = 0
        self.broken = False

    def reading(self) -> AbstractAsyncContextManager[Tx]:
        self.readings += 1
        if self.broken:
            raise ConnectionError("the database is away")
        return self._database.reading()


async def _some(running: "Notifications", count: int) -> list[UUID]:
    subjects = [uuid7() for _ in range(count)]
    async with running.service.database.transaction() as tx:
        await tx.execute(_MAILS, subjects=subjects, now=tx.now)
    return subjects


async def test_who_asks_at_the_same_time_shares_a_query(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    subjects = await _some(running, 50)
    counting = Counting(running.service.database)
    lookup = RowReader(counting)  # type: ignore[arg-type] # reads as the real one does
    found = await asyncio.gather(*(lookup.row(EmailKey("qr", one)) for one in [*subjects, subjects[0]]))
    assert [row.subject_id for row in found] == [*subjects, subjects[0]]
    assert counting.readings == 1


async def test_a_mail_that_does_not_exist_is_reported_to_the_caller(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    [known] = await _some(running, 1)
    lookup = RowReader(running.service.database)
    asked = [
        lookup.row(EmailKey("qr", known)),
        lookup.row(EmailKey("qr", uuid7())),
        lookup.row(EmailKey("refund", known)),
    ]
    found: list[Row] = await asyncio.gather(*asked, return_exceptions=True)
    assert found[0].subject_id == known
    assert [type(one) for one in found[1:]] == [LookupError, LookupError]


async def test_a_failure_is_everybodys_and_the_next_question_is_asked_anew(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    subjects = await _some(running, 2)
    counting = Counting(running.service.database)
    lookup = RowReader(counting)  # type: ignore[arg-type] # reads as the real one does
    counting.broken = True
    answers = await asyncio.gather(*(lookup.row(EmailKey("qr", one)) for one in subjects), return_exceptions=True)
    assert [type(one) for one in answers] == [ConnectionError, ConnectionError]
    counting.broken = False
    assert (await lookup.row(EmailKey("qr", subjects[0]))).subject_id == subjects[0]


async def test_who_gives_up_takes_nothing_from_the_others(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    [subject] = await _some(running, 1)
    lookup = RowReader(running.service.database)
    impatient, patient = (asyncio.create_task(lookup.row(EmailKey("qr", subject))) for _ in range(2))
    await asyncio.sleep(0)  # both have asked
    impatient.cancel()
    assert (await patient).subject_id == subject
    with pytest.raises(asyncio.CancelledError):
        await impatient
