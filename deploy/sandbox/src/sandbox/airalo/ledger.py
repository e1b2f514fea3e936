"""The reseller's books: orders, the eSIMs they brought, and requests for refunds."""

import itertools
import random
import secrets
from typing import Literal

from pydantic import Field

from sandbox.ledger import CamelModel, Journal, Ledger
from sandbox.smdp.ledger import luhn

OrderStatus = Literal["completed", "failed", "refunded"]
SimStatus = Literal["NOT_ACTIVE", "ACTIVE", "FINISHED", "UNKNOWN", "EXPIRED", "RECYCLED"]
_RANGE = "8997212"
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Order(CamelModel):
    """One order, of eSIMs or of a top-up."""

    id: int
    code: str
    type: Literal["sim", "topup"]
    package_id: str
    quantity: int
    description: str
    status: OrderStatus = "completed"
    created_at: str
    iccids: list[str] = Field(default_factory=list)
    request_id: str | None = None


class Sim(CamelModel):
    """One eSIM. Data in MB, as everywhere in this API."""

    iccid: str
    id: int
    order_id: int
    matching_id: str
    package_id: str
    created_at: str
    status: SimStatus = "NOT_ACTIVE"
    total: int
    used: int = 0
    validity: int
    expired_at: str | None = None
    is_unlimited: bool = False
    refund_id: str | None = None


class AiraloLedger:
    """Orders by id, eSIMs by ICCID; nothing is ever deleted."""

    def __init__(self, orders: Journal, sims: Journal) -> None:
        self.orders: Ledger[Order] = Ledger(Order, orders)
        self.sims: Ledger[Sim] = Ledger(Sim, sims)
        self._ids = itertools.count(1)
        self._serial = itertools.count(random.SystemRandom().randrange(10**10))

    def load(self) -> None:
        """Read what earlier runs wrote."""
        self.orders.load("id")
        self.sims.load("iccid")
        self._ids = itertools.count(max((order.id for order in self.orders), default=0) + 1)

    def next_id(self) -> int:
        """The number of the next order."""
        return next(self._ids)

    def new_iccid(self) -> str:
        """An ICCID nobody has, with its check digit."""
        body = f"{_RANGE}{next(self._serial) % 10**11:011d}"
        return body + luhn(body)

    def new_matching_id(self) -> str:
        """A code nobody can guess."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(20))

    def record(self, order: Order, *sims: Sim) -> None:
        """Write an order and what it brought."""
        self.orders.put(str(order.id), order)
        for sim in sims:
            self.sims.put(sim.iccid, sim)

    def clear(self) -> None:
        """Close the books and open new ones."""
        self.orders.clear()
        self.sims.clear()

    def close(self) -> None:
        """Let go of the files."""
        self.orders.close()
        self.sims.close()
