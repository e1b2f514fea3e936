"""The denial of a cancellation where the operator refused to revoke the profile (RC 1, RC 5)."""

from refunds.cases.models.case import Case
from refunds.cases.models.file import Order
from refunds.policy.models.decision import Deadlines, Decision
from refunds.policy.rules.texts import explained
from shared.contracts import Ground

_GROUNDS = (
    Ground(document="RC", clause="5", text="Cancellation is possible only while the eSIM is not installed."),
    Ground(document="RC", clause="1", text="An installed eSIM is not refundable, even where it was not used."),
)


def refused_revocation(order: Order, case: Case) -> Decision:
    """The decision that denies the cancellation."""
    return Decision(
        verdict="deny",
        policy=case.policy or f"{order.row.storefront}@1",
        grounds=_GROUNDS,
        explanation=explained("revocation_refused", number=order.row.order_number),
        refund=None,
        missing=(),
        deadlines=Deadlines(),
    )
