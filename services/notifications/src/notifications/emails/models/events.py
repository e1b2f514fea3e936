"""Events that emails are made from, where one event is not enough."""

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
    """A paid order, with its receipt if that was stored in time."""

    receipt_url: str | None = None


class ProfileWithReceipt(ProfileGenerated):
    """A generated profile, with the order's receipt if that was stored in time."""

    receipt_url: str | None = None


class TopUpWithReceipt(TopUpApplied):
    """A top-up, with the order's receipt if that was stored in time."""

    receipt_url: str | None = None


class RefundWithSettlement(RefundApproved):
    """An approved refund, with its settlement if that followed at once."""

    settled: RefundSettled | None = None


class ApproachingEnd(OrderEvent):
    """An end that approaches: of the time to install an eSIM, or of its plan."""

    plan: Plan
    ends_at: datetime


class RequestedLink(OrderEvent):
    """A link to the order's page, requested from the page that the shop's `account_url` leads to."""


class OpenedConfirmation(ConfirmationRequested):
    """A confirmation with its code opened. It exists in memory only, while the code is being sent."""

    digits: str = Field(repr=False)
