"""The base classes of invariants.

People read the docstring of an invariant (page, API, help of the metric): its first line is the title, the rest says
what a violation means.

Rules about orders are SQL over the read model. They use `:as_of`, the time up to which every published fact has been
applied (progress.py), and `:late` = as_of - `after`. What was applied after `:as_of` is not judged, so neither a
backlog nor topics that are read at different speeds can raise an alarm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from inspect import cleandoc
from typing import Any, ClassVar

from operations.invariants.models import Severity
from operations.services.models import ServiceView


@dataclass(slots=True, frozen=True)
class Violation:
    """A violation by a service. `subject` names it within its invariant."""

    subject: str
    since: datetime | None
    detail: Mapping[str, Any] = field(default_factory=dict)


class Invariant:
    """A rule that must hold. `after`: how long it may be broken before that counts; None: it has no such time."""

    name: ClassVar[str]
    severity: ClassVar[Severity] = "page"
    after: ClassVar[timedelta | None] = None

    @property
    def title(self) -> str:
        """The docstring's first line."""
        return cleandoc(type(self).__doc__ or "").partition("\n")[0]

    @property
    def meaning(self) -> str:
        """The rest of the docstring, as one paragraph."""
        return " ".join(cleandoc(type(self).__doc__ or "").partition("\n")[2].split())


class OrderInvariant(Invariant):
    """A rule over the read model. The parts are SQL; `subject` must be unique among the violations."""

    source: ClassVar[str] = "orders o"
    where: ClassVar[str]
    since: ClassVar[str]
    subject: ClassVar[str] = "o.order_id"
    order: ClassVar[str] = "o.order_id, o.order_number"
    detail: ClassVar[str] = "'{}'::jsonb"

    def sql(self) -> str:
        """A query of the violations: (subject, order_id, order_number, since, detail)."""
        return (
            f"SELECT CAST({self.subject} AS text) AS subject, {self.order}, {self.since} AS since, "
            f"{self.detail} AS detail FROM {self.source} WHERE {self.where}"
        )


@dataclass(slots=True, frozen=True)
class ServiceAnswers:
    """The last answers of the services, and up to when operations has read (None: nothing since `started_at`)."""

    services: Sequence[ServiceView]
    now: datetime
    as_of: datetime | None
    started_at: datetime


class ServiceInvariant(Invariant):
    """A rule over the last answers of the services."""

    def violations(self, answers: ServiceAnswers, after: timedelta) -> Iterable[Violation]:
        """The violations by services."""
        raise NotImplementedError  # abstract: each rule implements it


#: `order` of a rule that concerns no order.
NO_ORDER = "CAST(NULL AS uuid) AS order_id, CAST(NULL AS text) AS order_number"
