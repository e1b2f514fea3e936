"""How an invariant is written down.

Its docstring is what people read (page, API, help of the metric): first line a title, then what it means.

Rules about orders are SQL over the read model. They get `:as_of`, the moment up to which every fact that was told has
been applied (progress.py), and `:late` = as_of - `after` where they have such a time. What arrived here after `:as_of`
is not judged, so neither a backlog nor topics that are read at different speeds can raise an alarm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from inspect import cleandoc
from typing import Any, ClassVar

from operations.views import ServiceView, Severity


@dataclass(slots=True, frozen=True)
class Found:
    """A violation by a service. `subject` names it within its invariant."""

    subject: str
    since: datetime | None
    detail: Mapping[str, Any] = field(default_factory=dict)


class Invariant:
    """Something that must hold. `after`: how long it may be broken before that counts; None: it knows no such time."""

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
    """A rule over the read model. The parts are SQL; `subject` must be unique among what is found."""

    source: ClassVar[str] = "orders o"
    where: ClassVar[str]
    since: ClassVar[str]
    subject: ClassVar[str] = "o.order_id"
    order: ClassVar[str] = "o.order_id, o.order_number"
    detail: ClassVar[str] = "'{}'::jsonb"

    def sql(self) -> str:
        """Rows (subject, order_id, order_number, since, detail) of what is wrong."""
        return (
            f"SELECT CAST({self.subject} AS text) AS subject, {self.order}, {self.since} AS since, "
            f"{self.detail} AS detail FROM {self.source} WHERE {self.where}"
        )


@dataclass(slots=True, frozen=True)
class Seen:
    """What is known of the services, and how far the watch itself has read (None: nothing since `started_at`)."""

    services: Sequence[ServiceView]
    now: datetime
    as_of: datetime | None
    started_at: datetime


class ServiceInvariant(Invariant):
    """A rule over what the services answered last."""

    def broken(self, seen: Seen, after: timedelta) -> Iterable[Found]:
        """What is wrong with whom."""
        raise NotImplementedError  # abstract: each rule says it


#: For `order`, where a rule is not about one.
NO_ORDER = "CAST(NULL AS uuid) AS order_id, CAST(NULL AS text) AS order_number"
