"""Why a code is not sent again, and the answer where it is."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

#: How often a shop may have the code of one order sent again within 24 hours. A buyer who has not found three emails
#: will not find the fourth: the address is wrong, or the mailbox rejects us. The buyer's own limit is another one.
SHOP_RESENDS_A_DAY = 3


class Resend(BaseModel):
    """A code that is sent again: the same answer for every repetition under the same key."""

    resend_id: Annotated[UUID, Field(examples=["01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11"])]
    order_id: Annotated[UUID, Field(examples=["01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b12"])]
    order_number: Annotated[str, Field(examples=["10000017"])]
    state: Annotated[
        Literal["accepted"],
        Field(description="it is sent in a moment; the order shows the delivery", examples=["accepted"]),
    ] = "accepted"
    requested_at: Annotated[datetime, Field(examples=["2026-11-21T09:30:00Z"])]


class NotResentError(Exception):
    """The code is not sent, nothing was changed, and the idempotency key is still free.

    `reason`: `unknown-order`, `key-reused`, `erased`, `blocked`, `no-code`, `on-its-way` or `limit`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
