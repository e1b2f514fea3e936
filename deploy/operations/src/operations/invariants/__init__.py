"""What must hold across the services, as small classes; `ALL` of them, in the order in which a page shows them."""

from operations.invariants.base import Found, Invariant, OrderInvariant, Seen, ServiceInvariant
from operations.invariants.buyers import BUYERS
from operations.invariants.fulfilment import FULFILMENT
from operations.invariants.money import MONEY
from operations.invariants.running import RUNNING

ALL: tuple[Invariant, ...] = (*FULFILMENT, *MONEY, *BUYERS, *RUNNING)

__all__ = ["ALL", "Found", "Invariant", "OrderInvariant", "Seen", "ServiceInvariant"]
