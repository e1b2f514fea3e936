"""What refunds knows by itself: pure functions and values, no I/O."""

from refunds.domain.cases import CaseState, case_state
from refunds.domain.decision import Decision, PaidOrder, decide_generation_failure

__all__ = ["CaseState", "Decision", "PaidOrder", "case_state", "decide_generation_failure"]
