"""Checks secrets in settings: blank ones are refused always, generated ones and test adapters in production."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

_SHORTEST = 16


@dataclass(slots=True, frozen=True)
class Invented:
    """Marks a secret that is generated when none is set, which is for tests only."""


@dataclass(slots=True, frozen=True)
class TestOnly:
    """Marks a setting that has a value for tests and benchmarks only."""

    __test__ = False  # pytest takes it for a class of tests otherwise
    value: str | bool


@dataclass(slots=True, frozen=True)
class MayBeShared:
    """Marks a secret that another company gives out, and that several holders may have in common."""


def blank_secrets(settings: BaseModel) -> list[str]:
    """What is wrong with the secrets that were set, one sentence each, by environment variable and without values."""
    problems = []
    for field in settings.model_fields_set:
        value = getattr(settings, field)
        problems += [f"{name} is blank" for name, secret in _secrets(field.upper(), value) if not secret.strip()]
        if isinstance(value, Mapping):
            keys = [secret for _, secret in _secrets(field.upper(), value, shared=False)]
            if len(set(keys)) < len(keys):
                problems.append(f"{field.upper()} gives two of its holders the same key")
    return sorted(problems)


def not_for_production(settings: BaseModel) -> list[str]:
    """What must not be used in production, one sentence each, by environment variable."""
    return sorted([*_marked("", settings), *_short(settings)])


def _marked(prefix: str, model: BaseModel) -> Iterator[str]:
    for field, info in type(model).model_fields.items():
        name, value = f"{prefix}{field.upper()}", getattr(model, field)
        for mark in info.metadata:
            if isinstance(mark, Invented) and field not in model.model_fields_set:
                yield f"{name} is not set; a generated one would be lost with the process"
            if isinstance(mark, TestOnly) and value == mark.value:
                yield f"{name}={mark.value} is for tests and benchmarks"
        for place, nested in _models(name, value):
            yield from _marked(f"{place}.", nested)


def _short(settings: BaseModel) -> Iterator[str]:
    """Checks the keys that we give to callers (`…_KEYS`); other companies decide the length of theirs."""
    for field in (name for name in settings.model_fields_set if name.endswith("_keys")):
        for name, secret in _secrets(field.upper(), getattr(settings, field)):
            if secret.strip() and len(secret) < _SHORTEST:
                yield f"{name} is shorter than {_SHORTEST} characters"


def _models(name: str, value: Any) -> Iterator[tuple[str, BaseModel]]:
    if isinstance(value, BaseModel):
        yield name, value
    for place, item in _items(name, value):
        yield from _models(place, item)


def _secrets(name: str, value: Any, *, shared: bool = True) -> Iterator[tuple[str, str]]:
    """Every secret in a setting, however deep, with its place: `AGENT_KEYS[anna]`. `shared`: those marked so, too."""
    if isinstance(value, SecretStr):
        yield name, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for field, info in type(value).model_fields.items():
            if shared or not any(isinstance(mark, MayBeShared) for mark in info.metadata):
                yield from _secrets(f"{name}.{field}", getattr(value, field), shared=shared)
    for place, item in _items(name, value):
        yield from _secrets(place, item, shared=shared)


def _items(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"{name}[{key}]", item) for key, item in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from ((f"{name}[{index}]", item) for index, item in enumerate(value))
