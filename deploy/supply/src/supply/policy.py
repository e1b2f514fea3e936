"""policy.toml: which licences may be shipped, and which findings are accepted, by whom it says why and for how long."""

import datetime as dt
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).resolve().parents[2] / "policy.toml"
Reason = Annotated[str, Field(min_length=15)]  # a sentence, not "ok"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Declared(_Strict):
    """A licence that a package's metadata does not name as an SPDX expression; read in its licence file by a person."""

    package: str
    metadata: str
    """What its metadata says instead: when that changes, somebody must look again."""
    licence: str
    reason: Reason


class Exceptional(_Strict):
    """A package that may be shipped under a licence which is not allowed in general."""

    package: str
    licence: str
    reason: Reason


class Accepted(_Strict):
    """A known vulnerability that does not hurt us, until somebody must think again."""

    id: str
    package: str
    reason: Reason
    until: dt.date


class Policy(_Strict):
    """The whole file."""

    licences: dict[str, Reason]
    """Allowed everywhere: SPDX identifier -> why."""
    declared: list[Declared] = []
    exceptional: list[Exceptional] = []
    accepted: list[Accepted] = []


def load(path: Path = FILE) -> Policy:
    """The policy. Raises ValueError when the file says something else than a policy."""
    return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
