"""The desk: where cases are opened, decided, answered and watched; everything that changes a case goes through it."""

from refunds.desk.desk import Desk
from refunds.desk.opening import Request, case_ids

__all__ = ["Desk", "Request", "case_ids"]
