"""What a form selects: rows of several services by their ids, or dead letters by a filter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from shared.kernel.problems import Problem
from shared.kernel.services import Answer
from shared.values.text import Line

#: A field of a form or of a list's conditions.
Text = Annotated[str, Line(200, 0)]


@dataclass(slots=True, frozen=True)
class DeadLetterFilter:
    """Waiting dead letters of one service or of all. An empty condition matches every dead letter."""

    service: str = ""
    topic: str = ""
    why: str = ""
    key: str = ""

    def query(self) -> dict[str, str]:
        """The filter as the services expect it."""
        given = {"topic": self.topic, "reason": self.why, "key": self.key}
        return {name: value for name, value in given.items() if value}

    def __str__(self) -> str:
        """`all of payments with reason handler_failed`."""
        conditions = [f"{name} {value}" for name, value in self.query().items()]
        return f"all of {self.service or 'every service'}" + (f" with {' and '.join(conditions)}" if conditions else "")


@dataclass(slots=True, frozen=True)
class Selection:
    """Either rows by their `ids`, by service, or at most `limit` rows that a `filter` matches."""

    ids: Mapping[str, Sequence[UUID]] = field(default_factory=dict)
    filter: DeadLetterFilter | None = None
    limit: int = 100

    def __str__(self) -> str:
        """For the audit log: `2 of payments, 1 of refunds`, or the filter and the limit."""
        if self.filter is not None:
            return f"{self.filter}, at most {self.limit}"
        return ", ".join(f"{len(ids)} of {service}" for service, ids in self.ids.items())

    def bodies(self, services: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The request body for each service."""
        if self.filter is None:
            yield from ((service, {"ids": list(map(str, ids))}) for service, ids in self.ids.items())
            return
        for service in [self.filter.service] if self.filter.service else services:
            yield service, {"filter": self.filter.query()}


def ids_by_service(chosen: Sequence[str]) -> dict[str, list[UUID]]:
    """Ids by service, of `payments/0190…`. Raises Problem (422) where nothing, or another shape, is selected."""
    ids: dict[str, list[UUID]] = {}
    for row in chosen:
        service, _, id_ = row.partition("/")
        try:
            ids.setdefault(service, []).append(UUID(id_))
        except ValueError:
            raise nothing_selected() from None
    if not ids:
        raise nothing_selected()
    return ids


def completeness(answers: Sequence[Answer[Any]]) -> dict[str, Any]:
    """What a list of all services lacks: who did not answer, and whose rows go on after which one."""
    return {
        "unavailable": [answer for answer in answers if answer.problem],
        "more": [(answer.service, answer.value.next) for answer in answers if answer.value and answer.value.next],
    }


def nothing_selected() -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "nothing-chosen", "Nothing was chosen. Go back and mark at least one row."
    )


def reason(given: str) -> str:
    """The reason that a form gives. Raises Problem (422) where it is missing."""
    text = given.strip()
    if len(text) < 3 or not text.isprintable():  # noqa: PLR2004 - as the services require
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "reason-missing",
            "Say why, in at least three characters on one line: it is kept with your name. Go back and add it.",
        )
    return text
