"""How answers are read. Each reader raises ValueError where an answer is not as described."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from esim_fulfilment.calls import Answer

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


def model(kind: type[Model]) -> Callable[[Answer], Model]:
    """Read a body as a model."""

    def read(answer: Answer) -> Model:
        return kind.model_validate_json(answer.body)

    return read


def adapted(adapter: TypeAdapter[T]) -> Callable[[Answer], T]:
    """Read a body that is no object of its own."""

    def read(answer: Answer) -> T:
        return adapter.validate_json(answer.body)

    return read


def nothing(_answer: Answer) -> None:
    """An answer without a body."""
