"""Facts that notifications owns."""

from datetime import datetime
from typing import Literal

from shared.contracts.base import BuyerErased, OrderEvent

Channel = Literal["email", "account"]


class QrDelivered(OrderEvent, topic="notifications.qr-delivered"):
    """The code reached the buyer: accepted by the mail server or shown in the account, whichever was first (PO 3.4)."""

    channel: Channel
    paid_at: datetime
    delivered_at: datetime


class DeliveryFailed(OrderEvent, topic="notifications.delivery-failed"):
    """The mail server refused permanently. Carries codes only: its text may repeat the address."""

    channel: Channel
    smtp_code: int
    #: RFC 3463 enhanced status, such as 5.1.1.
    enhanced_code: str | None = None
    failed_at: datetime


class MailboxProved(OrderEvent, topic="notifications.mailbox-proved"):
    """A reader of the mailbox of this order's contact used the link that was mailed there.

    Opening a page is no proof, for mail scanners open links too; pressing one of the page's buttons is.
    """

    how: Literal["link"]
    #: `updated_at` of the contact that the link was checked against: a contact changed since then is not confirmed.
    contact_at: datetime
    proved_at: datetime


class NotificationsBuyerErased(BuyerErased, topic="notifications.buyer-erased"):
    """Notifications holds no more data of that buyer (PP 6.2)."""
