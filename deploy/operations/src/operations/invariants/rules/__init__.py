"""The invariants across the services, one class each; `ALL` of them in the sequence in which a page shows them."""

from operations.invariants.rules.base import Invariant, OrderInvariant, ServiceAnswers, ServiceInvariant, Violation
from operations.invariants.rules.buyers import BUYERS
from operations.invariants.rules.fulfilment import FULFILMENT
from operations.invariants.rules.money import MONEY
from operations.invariants.rules.services import RUNNING

ALL: tuple[Invariant, ...] = (*FULFILMENT, *MONEY, *BUYERS, *RUNNING)

__all__ = ["ALL", "Invariant", "OrderInvariant", "ServiceAnswers", "ServiceInvariant", "Violation"]
