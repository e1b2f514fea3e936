"""Refusals name fields, and repeat nothing that a sender chose."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.ids import uuid7, uuid7_floor
from shared.kernel.problems import Problem, field_errors, retry_where_new
from shared.values.text import Line


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Line(20)] = ""


@pytest.mark.parametrize("name", ["\ud800", "\x00", "anna@example.org", "x" * 5000, "a b"])
def test_the_name_of_an_unknown_field_is_not_repeated(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate({name: 1})
    errors = field_errors(refused.value.errors())
    assert [error["field"] for error in errors] in (["?"], ["body"])
    assert Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "x", errors=errors).response().body


def test_a_known_field_is_named_with_the_reason() -> None:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate({"name": "a\x00"})
    assert field_errors(refused.value.errors()) == [{"field": "name", "message": "must not contain control characters"}]


NOW = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("order_id", "retry"),
    [
        (uuid7_floor(NOW), True),
        (uuid7_floor(NOW - timedelta(hours=23)), True),
        (uuid7_floor(NOW + timedelta(seconds=2)), True),  # another machine's clock
        (uuid7_floor(NOW - timedelta(hours=25)), False),
        (uuid7_floor(NOW + timedelta(days=400)), False),
        (UUID(int=uuid7().int | 0xFFFFFFFFFFFF << 80), False),  # the year 10889, beyond what a datetime holds
        (uuid4(), False),
        (UUID(int=0), False),
    ],
)
def test_only_an_order_that_may_be_on_its_way_is_worth_another_request(order_id: UUID, retry: bool) -> None:
    assert ("Retry-After" in retry_where_new(order_id, NOW)) == retry
