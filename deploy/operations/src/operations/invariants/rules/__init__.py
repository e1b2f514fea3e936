"""What must hold across the services, as small classes; `ALL` of them, in the order in which a page shows them."""

from operations.invariants.rules.base import Found, Invariant, OrderInvariant, Seen, ServiceInvariant
from operations.invariants.rules.buyers import BUYERS
from operations.invariants.rules.fulfilment import FULFILMENT
from operations.invariants.rules.money import MONEY
from operations.invariants.rules.services import RUNNING

ALL: tuple[Invariant, ...] = (*FULFILMENT, *MONEY, *BUYERS, *RUNNING)

__all__ = ["ALL", "Found", "Invariant", "OrderInvariant", "Seen", "ServiceInvariant"]
