"""The table of rights (deploy/access/access.json), as the brokers of a stack get it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local_stack.paths import WORK_TREE

FILE = WORK_TREE / "deploy" / "access" / "access.json"


@dataclass(frozen=True)
class Acl:
    """One resource, and what may be done with it; names and operations as in the table."""

    type: str
    name: str
    pattern: str
    operations: frozenset[str]


@dataclass(frozen=True)
class Principal:
    """A user of the brokers. `of` is the service or storefront it belongs to."""

    name: str
    kind: str
    of: str
    acls: tuple[Acl, ...]


@dataclass(frozen=True)
class Access:
    """All users, with all they may do."""

    principals: tuple[Principal, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The users' names."""
        return tuple(one.name for one in self.principals)


@cache
def read_access(path: Path = FILE) -> Access:
    """The committed table."""
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Access(tuple(_principal(one) for one in found["principals"]))


def owner_of(service: str) -> str:
    """The user as whom a service's `migrate` looks after its topics."""
    return f"{service}-owner"


def storefront_user(storefront: str) -> str:
    """The user as whom a storefront submits orders."""
    return f"storefront-{storefront}"


def _principal(one: Mapping[str, Any]) -> Principal:
    acls = tuple(Acl(acl["type"], acl["name"], acl["pattern"], frozenset(acl["operations"])) for acl in one["acls"])
    return Principal(one["name"], one["kind"], one["of"], acls)
