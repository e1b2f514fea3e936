"""The examples of OpenAPI: an answer has every field, so that every field has an example."""

import types
from collections.abc import Iterator
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from ordering.devices.models import DeviceAnswer
from ordering.interface import INTERFACE
from ordering.orders.details import OrderDetails
from ordering.orders.views import OrderList
from ordering.shops.models import PlanList
from shared.testing.documents import Json

ANSWERS: dict[str, type[BaseModel]] = {
    "GET /orders": OrderList,
    "GET /orders/{reference}": OrderDetails,
    "GET /plans": PlanList,
    "GET /devices": DeviceAnswer,
}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for part in get_args(annotation):
            yield from _models(part)


def _missing(model: type[BaseModel], example: Json, path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        here = f"{path}.{name}"
        if name not in example:
            yield here
            continue
        for part in _models(field.annotation):
            values = example[name] if isinstance(example[name], list | tuple) else [example[name]]
            if not values or values == [None]:
                yield f"{here} is empty"
            for value in values:
                yield from _missing(part, value, here)


@pytest.mark.parametrize("operation", ANSWERS)
def test_an_example_has_every_field(operation: str) -> None:
    model, example = ANSWERS[operation], INTERFACE.examples[operation].answer
    model.model_validate(example)
    assert list(_missing(model, example, "")) == []
