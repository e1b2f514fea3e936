"""A case as a line of a list."""

from typing import Any

from refunds.cases import case_of, case_state, refund_of
from refunds.policy import OrderPolicies


def line(row: Any, policies: OrderPolicies) -> dict[str, Any]:
    """A line of the list of cases."""
    case = case_of(row)
    return {
        "case_id": case.case_id,
        "order_number": row.order_number,
        "storefront": row.storefront,
        "asked": case.reason or case.ground,
        "channel": case.channel,
        "state": case_state(case, refund_of(row)),
        "requested_at": case.received_at or case.requested_at,
        "due_at": case.due_at,
        "due_kind": case.due_kind,
        "calendar": policies.calendar(row.storefront),
        "appeal_of": case.appeal_of,
        "assignee": row.assignee,
        "unread": row.unread,
    }
