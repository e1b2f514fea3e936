"""Refunds that the bank refused, as they are shown. Amounts are minor units, times UTC."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class RefusedRefundView(BaseModel):
    """A refund that the bank refused and that is neither settled nor retried: a person has to act.

    `left_minor`: what is still owed after payments by hand, in minor units; `reason`: the bank's last answer. None: not
    stored here (any more).
    """

    refund_id: UUID
    case_id: UUID | None
    charge_id: UUID | None
    order_id: UUID
    order_number: str | None
    storefront: str | None
    left_minor: int | None
    currency: str | None
    failed_at: datetime
    reason: str | None
    pay_by: datetime | None


class RefusedRefunds(BaseModel):
    """Refused refunds, the longest waiting first: the first 200 in `items`, and how many there are."""

    total: int
    items: list[RefusedRefundView]
