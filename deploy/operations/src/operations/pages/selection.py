"""What a form chooses: rows of several services by their ids, or dead letters by a filter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from shared.kernel.problems import Problem
from shared.values.text import Line

#: A field of a form or of a list's conditions.
Text = Annotated[str, Line(200, 0)]


@dataclass(slots=True, frozen=True)
class LetterFilter:
    """Dead letters that wait, of one service or of all. An empty condition holds for every letter."""

    service: str = ""
    topic: str = ""
    why: str = ""
    key: str = ""

    def query(self) -> dict[str, str]:
        """As the services' own filter."""
        given = {"topic": self.topic, "reason": self.why, "key": self.key}
        return {name: value for name, value in given.items() if value}

    def __str__(self) -> str:
        """`all of payments with reason handler_failed`."""
        said = [f"{name} {value}" for name, value in self.query().items()]
        return f"all of {self.service or 'every service'}" + (f" with {' and '.join(said)}" if said else "")


@dataclass(slots=True, frozen=True)
class Chosen:
    """Either `ids` by service, all of them, or a `filter` and at most `limit` that it finds."""

    ids: Mapping[str, Sequence[UUID]] = field(default_factory=dict)
    filter: LetterFilter | None = None
    limit: int = 100

    def __str__(self) -> str:
        """For the audit trail: `2 of payments, 1 of refunds`, or the filter and the limit."""
        if self.filter is not None:
            return f"{self.filter}, at most {self.limit}"
        return ", ".join(f"{len(ids)} of {service}" for service, ids in self.ids.items())

    def bodies(self, services: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """What to ask of which service."""
        if self.filter is None:
            yield from ((service, {"ids": list(map(str, ids))}) for service, ids in self.ids.items())
            return
        for service in [self.filter.service] if self.filter.service else services:
            yield service, {"filter": self.filter.query()}


def rows(chosen: Sequence[str]) -> dict[str, list[UUID]]:
    """`payments/0190…` as ids by service. Raises Problem (422) where nothing, or nothing of that shape, is chosen."""
    found: dict[str, list[UUID]] = {}
    for one in chosen:
        service, _, given = one.partition("/")
        try:
            found.setdefault(service, []).append(UUID(given))
        except ValueError:
            raise nothing_chosen() from None
    if not found:
        raise nothing_chosen()
    return found


def nothing_chosen() -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "nothing-chosen", "Nothing was chosen. Go back and mark at least one row."
    )


def reason(given: str) -> str:
    """Why somebody does this. Raises Problem (422)."""
    said = given.strip()
    if len(said) < 3 or not said.isprintable():  # noqa: PLR2004 - as the services ask for
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "reason-missing",
            "Say why, in at least three characters on one line: it is kept with your name. Go back and add it.",
        )
    return said
