"""Reads the shops' folder, whole, and reports every fault with its file and field."""

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.contracts.base import Slug
from shared.shops.brand import Brand
from shared.shops.entry import wrong_starts
from shared.shops.faults import Fault, ShopsError
from shared.shops.models import Shop, ShopFile
from shared.shops.plans import PlansFile
from shared.shops.policy import PolicyFile

M = TypeVar("M", bound=BaseModel)
Shops = Mapping[str, Shop]
#: What one service demands besides, of the whole.
Check = Callable[[Shops], Iterable[Fault]]
_SLUG = TypeAdapter(Slug)
#: How many files' contents are kept. They are read again when one of them changes, and reading costs milliseconds each.
_KEPT = 64


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of the folder, and its name in faults."""

    path: Path
    name: str


def read_shops(folder: Path, checks: Sequence[Check] = ()) -> Shops:
    """The shops by slug, in the order of their slugs. Raises ShopsError with all that is wrong."""
    faults: list[Fault] = []
    shops: dict[str, Shop] = {}
    for entry in _entries(_Place(folder, ""), faults):
        shop = _shop(entry, faults)
        if shop is not None:
            shops[shop.slug] = shop
    if not shops and not faults:
        faults.append(Fault(str(folder), "", "has no shop in it"))
    if not faults:
        faults += [fault for check in checks for fault in check(shops)]
    if faults:
        raise ShopsError(faults)
    return shops


def _shop(place: _Place, faults: list[Fault]) -> Shop | None:
    before = len(faults)
    slug = place.name
    if not place.path.is_dir():
        faults.append(Fault(slug, "", "is not a shop: only folders stand here"))
        return None
    try:
        _SLUG.validate_python(slug)
    except ValidationError:
        faults.append(Fault(slug, "", "is not the name of a shop: small letters, digits and single hyphens, up to 40"))
    found = {entry.path.name: entry for entry in _entries(place, faults)}
    unknown = sorted(found.keys() - {"shop.toml", "plans.toml", "policy", "brand"})
    faults += [Fault(found[name].name, "", "is not part of a shop's folder") for name in unknown]

    def file(*path: str) -> _Place:
        return _Place(place.path.joinpath(*path), "/".join((slug, *path)))

    about = _model(ShopFile, file("shop.toml"), faults)
    plans = _model(PlansFile, file("plans.toml"), faults)
    brand = _model(Brand, file("brand", "brand.toml"), faults)
    policies = _policies(file("policy"), faults)
    if len(faults) > before or about is None or plans is None or brand is None:
        return None
    content = {name: getattr(about, name) for name in ShopFile.model_fields}
    return Shop.model_construct(**content, slug=slug, plans=plans.plan, policies=policies, brand=brand)


def _policies(folder: _Place, faults: list[Fault]) -> tuple[PolicyFile, ...]:
    read = []
    for place in _entries(folder, faults):
        if place.path.suffix != ".toml":
            faults.append(Fault(place.name, "", "is not a policy: <version>.toml"))
            continue
        policy = _model(PolicyFile, place, faults)
        if policy is None:
            continue
        if policy.version != place.path.stem:
            faults.append(Fault(place.name, "version", f"is the file's name: {place.path.stem}"))
        read.append(policy)
    if not read:
        faults.append(Fault(folder.name, "", "has no valid version of the refund policy"))
    elif wrong := wrong_starts(read, since_ever=True):
        faults.append(Fault(folder.name, "effective_from", wrong))
    return tuple(read)


def read_policy(file: Path) -> PolicyFile:
    """One policy from a file of its own. Raises ShopsError."""
    faults: list[Fault] = []
    policy = _model(PolicyFile, _Place(file, file.name), faults)
    if policy is None:
        raise ShopsError(faults)
    return policy


def _model(model: type[M], place: _Place, faults: list[Fault]) -> M | None:
    text = ""
    try:
        text = place.path.read_text(encoding="utf-8")
        read: M = _validated(model, text)
    except FileNotFoundError:
        faults.append(Fault(place.name, "", "is not there"))
    except OSError as error:
        faults.append(Fault(place.name, "", f"cannot be read ({error.strerror})"))
    except ValidationError as error:
        content = tomllib.loads(text)
        faults += [
            Fault(place.name, _field(content, item["loc"]), item["msg"].removeprefix("Value error, "))
            if item["type"] != "missing"
            else Fault(place.name, _field(content, item["loc"]), _missing(content, item["loc"]))
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        faults.append(Fault(place.name, "", str(error)))
    else:
        return read
    return None


@lru_cache(maxsize=_KEPT)
def _validated(model: type[M], text: str) -> M:
    """What a file says. Raises TOMLDecodeError, ValidationError, ValueError."""
    # Strict types as JSON has them: tuples are arrays, and moments are text with an offset.
    content = json.dumps(tomllib.loads(text), default=_moment, allow_nan=False)
    return model.model_validate_json(content, strict=True)


def _moment(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise ValueError(f"{value} is a time of day, which no field takes")


def _field(content: object, loc: Sequence[int | str]) -> str:
    """The place of a fault as a person finds it: `plan.tr-5gb-30d.price`; entries without an id are counted from 1."""
    parts = []
    for step in loc:
        if isinstance(step, int):
            content = content[step] if isinstance(content, list) and step < len(content) else None
            found = content.get("id") if isinstance(content, dict) else None
            parts.append(found if isinstance(found, str) else str(step + 1))
        else:
            content = content.get(step) if isinstance(content, dict) else None
            parts.append(step)
    return ".".join(parts)


def _missing(content: Any, loc: Sequence[int | str]) -> str:
    """Of a sentence that lacks a language: which one it is, since its place is a number only."""
    for step in loc[:-1]:
        content = content[step]
    sentence = content.get("en")
    return f"is missing for: {sentence}" if isinstance(sentence, str) else "Field required"


def _entries(place: _Place, faults: list[Fault]) -> list[_Place]:
    """What stands in a folder, without hidden names: mounted volumes keep their own there."""
    try:
        names = sorted(path.name for path in place.path.iterdir() if not path.name.startswith("."))
    except OSError as error:
        faults.append(Fault(place.name or str(place.path), "", f"cannot read the folder: {error.strerror}"))
        return []
    return [_Place(place.path / name, f"{place.name}/{name}" if place.name else name) for name in names]
