"""Payloads of tasks: the JSON stored for a model, rows of other releases, and rows that do not fit their model."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import Field, ValidationError

from shared.outcomes import Done, Outcome
from shared.task_payload import NoPayload, TaskPayload, UnreadablePayloadError, parse, stored
from shared.tasks import Task
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

ORDER = UUID("01900000-0000-7000-8000-000000000001")


class Amount(TaskPayload):
    minor_units: int
    currency: str


class Refund(TaskPayload):
    order_id: UUID
    since: datetime
    amount: Amount
    case_id: UUID | None = Field(default=None, alias="case")


REFUND = Refund(order_id=ORDER, since=datetime(2026, 1, 2, tzinfo=UTC), amount=Amount(minor_units=5, currency="KZT"))


def test_a_model_is_stored_as_json_without_what_nobody_set() -> None:
    row = json.loads(stored(REFUND))
    assert row == {
        "order_id": str(ORDER),
        "since": "2026-01-02T00:00:00Z",
        "amount": {"minor_units": 5, "currency": "KZT"},
    }
    assert parse(Refund, row) == REFUND


def test_an_alias_is_the_stored_name() -> None:
    row = json.loads(stored(REFUND.model_copy(update={"case_id": ORDER})))
    assert row["case"] == str(ORDER)
    assert parse(Refund, row).case_id == ORDER


def test_fields_of_newer_releases_are_ignored() -> None:
    assert parse(Refund, {**json.loads(stored(REFUND)), "priority": 7}) == REFUND


def test_a_mapping_is_stored_as_it_is() -> None:
    assert json.loads(stored({"order": "1"})) == {"order": "1"}
    assert stored(None) == stored(NoPayload()) == "{}"


def test_a_payload_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        REFUND.order_id = ORDER  # type: ignore[misc] # the assignment is what is tested


def test_a_row_that_does_not_fit_is_refused_by_its_fields_and_without_their_values() -> None:
    row = {"order_id": "ann@example.org", "since": "2026-01-02T00:00:00Z", "amount": {"minor_units": "secret"}}
    with pytest.raises(UnreadablePayloadError) as refused:
        parse(Refund, row)
    assert str(refused.value) == (
        "its payload cannot be read: order_id (uuid_parsing), amount.minor_units (int_parsing), "
        "amount.currency (missing)"
    )


async def test_a_task_whose_payload_cannot_be_read_is_parked_and_counted(stage: Stage) -> None:
    """Both where this process made the row and where it claims one that another release left behind."""
    performed: list[str] = []

    async def call(task: Task[toy.Greeting]) -> Outcome[None]:
        performed.append(task.key)
        return Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    row = {**json.loads(stored(toy.Greeting(order=paid()))), "added_by_a_newer_release": True}
    async with service.database.transaction() as tx:
        tx.schedule("greet", "01900000-0000-7000-8000-000000000002", {"order": {**row["order"], "plan": None}})
        tx.schedule("greet", "01900000-0000-7000-8000-000000000003", row)
    async with service.database.transaction() as tx:
        await tx.execute(
            """INSERT INTO work (id, kind, key, payload, due_at, created_at)
            VALUES (gen_random_uuid(), 'greet', '01900000-0000-7000-8000-000000000004', '{}', :now, :now)""",
            now=tx.now,
        )

    async def reasons() -> dict[str, str] | None:
        async with service.database.reading() as tx:
            parked = (await tx.execute("SELECT key, last_error FROM work WHERE state = 'parked'")).all()
        return {row.key[-1]: row.last_error for row in parked} if len(parked) == 2 and performed else None

    assert await stage.eventually(reasons) == {
        "2": "its payload cannot be read: order.plan (model_type)",
        "4": "its payload cannot be read: order (missing)",
    }
    assert performed == ["01900000-0000-7000-8000-000000000003"]
    assert service.metrics.work.labels("greet", "parked")._value.get() == 2
