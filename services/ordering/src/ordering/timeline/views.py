"""What ordering answers over HTTP. No personal data: a shop knows its buyers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from ordering.catalogue.models import Catalogue, Documents, Storefront, Support
from ordering.intake.store import Placed
from ordering.timeline.rules.sentences import Known, Tongue, in_order, sentence
from ordering.timeline.rules.status import Fact, Status, standing, status
from shared.contracts import Kind, Language, Money, Plan
from shared.telemetry.trace_links import TraceLinks, span_id
from shared.telemetry.tracing import trace_id

#: Facts that came after the first release, as callers of HTTP know them: new values of an enumeration would break
#: callers. The sentences of the timeline tell them apart.
_SHOWN_AS: Mapping[Fact, Fact] = {
    Fact.REFUND_RETRIED: Fact.REFUND_APPROVED,
    Fact.REFUND_PAID_BY_HAND: Fact.REFUND_APPROVED,
    Fact.SURPLUS_RETRIED: Fact.SURPLUS_APPROVED,
    Fact.SURPLUS_PAID_BY_HAND: Fact.SURPLUS_APPROVED,
}
if TYPE_CHECKING:
    ShownFact = Fact
else:
    ShownFact = StrEnum("Fact", [(fact.name, fact.value) for fact in Fact if fact not in _SHOWN_AS])
    ShownFact.__doc__ = Fact.__doc__


def shown(fact: Fact) -> ShownFact:
    """The fact as HTTP names it."""
    return ShownFact(_SHOWN_AS.get(fact, fact))


class Links(BaseModel):
    """Where to look next, relative to this service."""

    self: str
    timeline: str

    @classmethod
    def of(cls, placed: Placed) -> Self:
        """The links of an order."""
        return cls(self=f"/orders/{placed.order_id}", timeline=f"/orders/{placed.order_id}/timeline")


class OrderAnswer(BaseModel):
    """The answer to an accepted order: the same for every repetition of it."""

    order_id: str
    order_number: str
    status: Status
    price: Money
    plan: Plan
    links: Links

    @classmethod
    def of(cls, placed: Placed) -> Self:
        """As of its acceptance, whatever has happened since."""
        return cls(**_common(placed), status=Status.HELD if placed.held else Status.PLACED)


class OrderView(OrderAnswer):
    """An order now. `facts` are the known ones with their (first) time, UTC; `trace_url` is for operations."""

    kind: Kind
    facts: dict[ShownFact, datetime]
    trace_id: str | None
    trace_url: str | None

    @classmethod
    def at_present(cls, placed: Placed, facts: Sequence[Known], trace_links: TraceLinks) -> Self:
        """Everything a shop may know about an order."""
        times: dict[ShownFact, datetime] = {}
        for known in in_order(facts):
            times.setdefault(shown(known.fact), known.at.astimezone(UTC))
        return cls(
            **_common(placed),
            status=status(standing((known.fact, known.ref, known.at) for known in facts)),
            kind=placed.kind,
            facts=times,
            trace_id=trace_id(placed.trace),
            trace_url=trace_links.of(placed.trace),
        )


class TimelineLine(BaseModel):
    """One fact in words; `at` in the storefront's time zone.

    `trace_id` and `span_id` name the step that told us; `trace_url` opens it, for operations.
    """

    at: datetime
    fact: ShownFact
    sentence: str
    trace_id: str | None
    span_id: str | None
    trace_url: str | None

    @classmethod
    def story(cls, facts: Sequence[Known], time_zone: str, tongue: Tongue, trace_links: TraceLinks) -> list[Self]:
        """All facts in their order."""
        zone = ZoneInfo(time_zone)
        return [
            cls(
                at=known.at.astimezone(zone),
                fact=shown(known.fact),
                sentence=sentence(known, tongue),
                trace_id=trace_id(known.trace),
                span_id=span_id(known.trace),
                trace_url=trace_links.of(known.trace),
            )
            for known in in_order(facts)
        ]


class PlanView(BaseModel):
    """A plan and what it costs here."""

    plan: Plan
    price: Money


class StorefrontView(BaseModel):
    """A shop: what it sells, and the document versions that orders must name."""

    slug: str
    name: str
    currency: str
    time_zone: str
    language: Language
    support: Support
    documents: Documents
    plans: list[PlanView]

    @classmethod
    def of(cls, storefront: Storefront, catalogue: Catalogue) -> Self:
        """As of the catalogue in force."""
        plans = [PlanView(plan=plan, price=price) for plan, price in catalogue.sold_by(storefront.slug)]
        return cls(**storefront.model_dump(exclude={"phone_region"}), plans=plans)


def _common(placed: Placed) -> dict[str, Any]:
    return {
        "order_id": str(placed.order_id),
        "order_number": str(placed.number),
        "price": Money(amount=placed.price, currency=placed.currency),
        "plan": placed.plan,
        "links": Links.of(placed),
    }
