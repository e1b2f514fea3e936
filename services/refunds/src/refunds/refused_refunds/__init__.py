"""Refunds that the bank refused: what agents do about them, and what payments answers.

Actions reach payments as events, because no service calls another: `refunds.refund-retry-requested`,
`refunds.hand-payment-recorded`, `refunds.hand-payment-decided`. Payments accepts each once or refuses it with a reason
(`payments.refund-action-answered`), and decides finally about the money.
"""

from refunds.refused_refunds.rules import REFUSALS, WAYS, RefusedRefund, refusal_in_words
from refunds.refused_refunds.service import Payout, RefusedRefundService
from refunds.refused_refunds.store import history, read

__all__ = ["REFUSALS", "WAYS", "Payout", "RefusedRefund", "RefusedRefundService", "history", "read", "refusal_in_words"]
