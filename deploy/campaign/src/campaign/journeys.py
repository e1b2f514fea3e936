"""What the users of a campaign do: buyers of three shops, and what each of their orders may come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from tour.orders import Order

Kind = Literal[
    "bought",
    "submitted over Kafka",
    "declined, then paid",
    "declined",
    "abandoned",
    "payment in progress",
    "never made",
    "topped up",
    "refund asked",
    "used, refund asked",
    "contact corrected",
    "erased",
]
#: How an order may end. `kept`: delivered and not refunded although asked.
End = Literal["delivered", "refunded", "unpaid", "waiting"]
#: How often each is chosen, and how its order may end. An operator's fault may last longer than an order's deadline:
#: then the money goes back.
KINDS: Mapping[Kind, tuple[int, frozenset[End]]] = {
    "bought": (36, frozenset({"delivered", "refunded"})),
    "submitted over Kafka": (14, frozenset({"delivered", "refunded"})),
    "declined, then paid": (8, frozenset({"delivered", "refunded"})),
    "declined": (3, frozenset({"unpaid"})),
    "abandoned": (4, frozenset({"unpaid"})),
    "payment in progress": (3, frozenset({"delivered", "refunded"})),
    "never made": (8, frozenset({"refunded"})),
    "topped up": (6, frozenset({"delivered", "refunded"})),
    "refund asked": (8, frozenset({"refunded"})),
    "used, refund asked": (3, frozenset({"delivered", "refunded"})),
    "contact corrected": (4, frozenset({"delivered", "refunded"})),
    "erased": (3, frozenset({"delivered", "refunded", "waiting"})),
}


@dataclass
class Journey:
    """One buyer's way. Times are UTC; `emails`: the buyer's addresses, this journey's alone."""

    number: int
    kind: Kind
    shop: str
    emails: list[str]
    name: str
    order: Order | None = None
    #: The key of an order that the brokers have acknowledged.
    submission: str = ""
    #: The second order of a buyer who topped up, and its invoices.
    top_up: Order | None = None
    top_up_invoices: list[str] = field(default_factory=list)
    iccid: str = ""
    invoices: list[str] = field(default_factory=list)
    #: When money was first taken.
    paid_at: datetime | None = None
    steps: list[tuple[datetime, str]] = field(default_factory=list)
    #: What the shop could not do within its patience: no violation by itself, but counted.
    problem: str = ""
    erased: bool = False
    #: The id of the request to erase the buyer.
    erasure: str = ""
    installed: bool = False
    refund_asked: bool = False
    forged: bool = False
    #: A release of ordering that knows no webhooks may have read this order's facts.
    without_webhooks: bool = False
    first_phone: int = 0

    def did(self, step: str) -> datetime:
        """Note a step."""
        now = datetime.now(UTC)
        self.steps.append((now, step))
        return now

    @property
    def phone(self) -> str:
        """The buyer's, this journey's alone, also among those of earlier campaigns on the same product."""
        return f"+7701{(self.first_phone + self.number) % 10_000_000:07d}"

    @property
    def ends(self) -> frozenset[End]:
        """How the order may end."""
        ends = KINDS[self.kind][1]
        if self.paid_at is None:
            return frozenset({"unpaid"})
        if self.kind == "refund asked" and not self.refund_asked:
            ends |= {"delivered"}
        return ends | {"waiting"} if self.erased else ends
