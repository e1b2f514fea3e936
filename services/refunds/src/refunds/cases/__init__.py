"""Refund cases: opened, decided, answered and watched; everything that changes a case goes through `CaseService`."""

from refunds.cases.models.request import Request
from refunds.cases.opening import case_ids
from refunds.cases.service import CaseService

__all__ = ["CaseService", "Request", "case_ids"]
