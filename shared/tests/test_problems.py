"""Refusals name fields, and repeat nothing that a sender chose."""

from http import HTTPStatus
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.kernel.problems import Problem, field_errors
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
