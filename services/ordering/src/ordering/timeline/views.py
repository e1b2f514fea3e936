"""HTTP answers about orders. They contain no personal data: a shop has its buyers' data itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from ordering.timeline.models import AccountPages, Fact, PlacedOrder, RecordedFact, Status
from ordering.timeline.rules.sentences import in_order, sentence
from ordering.timeline.rules.status import facts_in_force, status
from shared.contracts import Kind, Language, Money, Plan
from shared.telemetry.trace_links import TraceLinks, span_id
from shared.telemetry.tracing import trace_id

#: Facts that were added after the first release are shown to callers under an older name, because a new value of an
#: enumeration could break them. Only the sentences of the timeline differ.
_SHOWN_AS: Mapping[Fact, Fact] = {
    Fact.PROFILE_FIRST_USED: Fact.PROFILE_ACTIVATED,
    Fact.DATA_LOW: Fact.PROFILE_ACTIVATED,
    Fact.PROFILE_EXPIRING: Fact.PROFILE_GENERATED,
    Fact.REFUND_RETRIED: Fact.REFUND_APPROVED,
    Fact.REFUND_PAID_BY_HAND: Fact.REFUND_APPROVED,
    Fact.REFUND_PART_APPROVED: Fact.REFUND_APPROVED,
    Fact.REFUND_PART_SETTLED: Fact.REFUND_SETTLED,
    Fact.SURPLUS_RETRIED: Fact.SURPLUS_APPROVED,
    Fact.SURPLUS_PAID_BY_HAND: Fact.SURPLUS_APPROVED,
}
if TYPE_CHECKING:
    ShownFact = Fact
else:
    ShownFact = StrEnum("Fact", [(fact.name, fact.value) for fact in Fact if fact not in _SHOWN_AS])
    ShownFact.__doc__ = Fact.__doc__


def shown(fact: Fact) -> ShownFact:
    """The fact's name in HTTP answers."""
    return ShownFact(_SHOWN_AS.get(fact, fact))


class Links(BaseModel):
    """Paths of an order, relative to this service."""

    self: str
    timeline: str

    @classmethod
    def of(cls, placed: PlacedOrder) -> Self:
        """The paths of this order."""
        return cls(self=f"/orders/{placed.order_id}", timeline=f"/orders/{placed.order_id}/timeline")


class OrderAnswer(BaseModel):
    """The answer to an accepted order: the same for every repetition of it."""

    order_id: str
    order_number: str
    status: Status
    price: Money
    plan: Plan
    links: Links
    test: Annotated[
        bool,
        Field(
            description="placed with a key for tests (`esim_test_…`) in a sandbox deployment: no real bank, operator "
            "or mailbox takes part",
            examples=[False],
        ),
    ]
    account_url: Annotated[
        str | None,
        Field(
            description="the buyer's page of this order, where the QR code is shown (PO 3.4). It is no secret: a link "
            "that opens the page is sent to the order's mailbox. null: not configured (`ACCOUNT_URL`)",
            examples=["https://account.example/account/orders/esimka/01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11"],
        ),
    ]

    @classmethod
    def of(cls, placed: PlacedOrder, accounts: AccountPages) -> Self:
        """The answer as of the order's acceptance, whatever has happened since."""
        return cls(**_common(placed, accounts), status=Status.HELD if placed.held else Status.PLACED)


class OrderView(OrderAnswer):
    """An order now. `facts`: each kind with its (first) time, UTC; `trace_url` is for operations."""

    kind: Kind
    facts: dict[ShownFact, datetime]
    trace_id: str | None
    trace_url: str | None

    @classmethod
    def at_present(
        cls, placed: PlacedOrder, facts: Sequence[RecordedFact], trace_links: TraceLinks, accounts: AccountPages
    ) -> Self:
        """The order with the status that follows from its facts."""
        times: dict[ShownFact, datetime] = {}
        for recorded in in_order(facts):
            times.setdefault(shown(recorded.fact), recorded.at.astimezone(UTC))
        return cls(
            **_common(placed, accounts),
            status=status(facts_in_force((recorded.fact, recorded.ref, recorded.at) for recorded in facts)),
            kind=placed.kind,
            facts=times,
            trace_id=trace_id(placed.trace),
            trace_url=trace_links.of(placed.trace),
        )


class TimelineLine(BaseModel):
    """One fact in words; `at` in the storefront's time zone.

    `trace_id` and `span_id` name the step that published the fact; `trace_url` opens it, for operations.
    """

    at: datetime
    fact: ShownFact
    sentence: str
    trace_id: str | None
    span_id: str | None
    trace_url: str | None

    @classmethod
    def timeline(
        cls, facts: Sequence[RecordedFact], time_zone: str, language: Language, trace_links: TraceLinks
    ) -> list[Self]:
        """All facts, sorted by time."""
        zone = ZoneInfo(time_zone)
        return [
            cls(
                at=recorded.at.astimezone(zone),
                fact=shown(recorded.fact),
                sentence=sentence(recorded, language),
                trace_id=trace_id(recorded.trace),
                span_id=span_id(recorded.trace),
                trace_url=trace_links.of(recorded.trace),
            )
            for recorded in in_order(facts)
        ]


def _common(placed: PlacedOrder, accounts: AccountPages) -> dict[str, Any]:
    return {
        "order_id": str(placed.order_id),
        "order_number": str(placed.number),
        "price": Money(amount=placed.price, currency=placed.currency),
        "plan": placed.plan,
        "links": Links.of(placed),
        "test": placed.test,
        "account_url": accounts.of(placed.storefront, placed.order_id),
    }
