"""What a mail is made from where that is more than one fact."""

from datetime import datetime

from pydantic import Field

from shared.contracts import (
    ConfirmationRequested,
    OrderEvent,
    OrderPaid,
    Plan,
    ProfileGenerated,
    RefundApproved,
    RefundSettled,
    TopUpApplied,
)


class PaidOrderWithReceipt(OrderPaid):
    """A paid order, with its receipt where that was known in time."""

    receipt_url: str | None = None


class ProfileWithReceipt(ProfileGenerated):
    """A profile, with the order's receipt where that was known in time."""

    receipt_url: str | None = None


class TopUpWithReceipt(TopUpApplied):
    """A top-up, with the order's receipt where that was known in time."""

    receipt_url: str | None = None


class RefundWithSettlement(RefundApproved):
    """A refund, with its settlement where that followed at once."""

    settled: RefundSettled | None = None


class ApproachingEnd(OrderEvent):
    """A time that is nearly over: to install an eSIM, or to use its plan."""

    plan: Plan
    ends_at: datetime


class OpenedConfirmation(ConfirmationRequested):
    """A code that a buyer confirms a request with, opened: in memory only, while it is being sent."""

    digits: str = Field(repr=False)
