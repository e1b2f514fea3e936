"""Refunds that the bank refused: what agents do about them, and what payments answered.

Actions travel to payments as events, because no service calls another: `refunds.refund-retry-requested`,
`refunds.hand-payment-recorded`, `refunds.hand-payment-decided`. Payments takes each once or refuses it with a reason
(`payments.refund-action-answered`), and has the last word about the money.
"""

from refunds.refused_refunds.handlers import RefusedHandlers
from refunds.refused_refunds.routes import router
from refunds.refused_refunds.service import Payout, RefusedRefunds

__all__ = ["Payout", "RefusedHandlers", "RefusedRefunds", "router"]
