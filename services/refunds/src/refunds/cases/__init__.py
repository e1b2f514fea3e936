"""Refund cases: the facts of each order, and how its cases are opened, decided and followed to their end.

Other features change cases through `CaseService` only.
"""

from refunds.cases.dependencies import CaseServiceDep
from refunds.cases.handlers import CaseHandlers
from refunds.cases.metrics import CaseMetrics
from refunds.cases.models.case import Case, CaseState, RefundOutcome, WhyPerson
from refunds.cases.models.errors import (
    AlreadyRefundedError,
    AmountError,
    KeyReusedError,
    LimitError,
    NotAllowedError,
    NotPaidError,
    UnknownCaseError,
    UnknownOrderError,
)
from refunds.cases.models.file import CaseFile, Order
from refunds.cases.models.patience import Patience
from refunds.cases.models.request import Finding, Request
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.cases.rules.state import case_state
from refunds.cases.service import CaseService
from refunds.cases.store.audit import Audit, write_entry
from refunds.cases.store.cases import (
    FAILED_AT,
    REFUND_COLUMNS,
    case_of,
    find_order,
    find_order_of_case,
    load,
    load_one,
    lock,
    lock_case,
    note_id,
    refund_of,
    stored_notes,
)
from refunds.cases.store.limits import check_claims
from refunds.cases.views import CaseView

__all__ = [
    "FAILED_AT",
    "REFUND_COLUMNS",
    "AlreadyRefundedError",
    "AmountError",
    "Audit",
    "Case",
    "CaseFile",
    "CaseHandlers",
    "CaseMetrics",
    "CaseService",
    "CaseServiceDep",
    "CaseState",
    "CaseView",
    "Finding",
    "Fingerprints",
    "KeyReusedError",
    "LimitError",
    "NotAllowedError",
    "NotPaidError",
    "Order",
    "Patience",
    "RefundOutcome",
    "Request",
    "UnknownCaseError",
    "UnknownOrderError",
    "WhyPerson",
    "case_of",
    "case_state",
    "check_claims",
    "find_order",
    "find_order_of_case",
    "load",
    "load_one",
    "lock",
    "lock_case",
    "note_id",
    "refund_of",
    "stored_notes",
    "write_entry",
]
