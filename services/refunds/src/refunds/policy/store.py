"""Reads the policies: one TOML file per storefront and version, checked when a program starts.

A new storefront or version is one new file in `files/`. A version names the moment from which it is in force; the first
version of a storefront has none and applies to everything that was paid before the second.
"""

import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from refunds.policy import Decision, Facts, Policy, PolicyBook
from shared.values.moment import in_bounds


class PolicyError(ValueError):
    """A policy file cannot be read; the text names file, field and reason, one per line."""


@lru_cache(maxsize=1)
def bundled_policies() -> PolicyBook:
    """The policies in `files/`. Raises PolicyError."""
    return load((resources.files("refunds.policy") / "files").iterdir())


def decide(facts: Facts) -> Decision:
    """The decision of the version in force when the order was paid. Raises UnknownPolicyError."""
    return bundled_policies().decide(facts)


def load(files: Iterable[Traversable]) -> PolicyBook:
    """A book of all `<storefront>@<version>.toml` among these files. Raises PolicyError with all that is wrong."""
    found, wrong = [], []
    for file in sorted((f for f in files if f.name.endswith(".toml")), key=lambda f: f.name):
        try:
            found.append(_read(file))
        except PolicyError as error:
            wrong.append(str(error))
    if not wrong:
        try:
            return PolicyBook(found)
        except ValueError as error:
            wrong.append(str(error))
    raise PolicyError("\n".join(wrong))


def load_file(file: Path) -> Policy:
    """One policy from a file of its own. Raises PolicyError."""
    return _read(file)


def moment(text: str, zone: ZoneInfo) -> datetime:
    """A moment with its offset, or the beginning of a day where the seller is. Raises ValueError."""
    try:
        # A plus in a query that was not encoded arrives as a space.
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
        if found.tzinfo is None:
            found = datetime.combine(date.fromisoformat(text), time.min, zone)
        return in_bounds(found)
    except (ValueError, OverflowError):
        raise ValueError("give a day, or a date and time with an offset, as ISO 8601 writes them") from None


def _read(file: Traversable) -> Policy:
    try:
        policy = Policy.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise PolicyError(f"{file.name}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file.name}: {error}") from None
    except ValidationError as error:
        lines = (
            f"{file.name}: {'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise PolicyError("\n".join(lines)) from None
    if file.name != f"{policy.name}.toml":
        raise PolicyError(f"{file.name}: version: storefront and version make the file's name, {policy.name}.toml")
    return policy
