"""HTTP: agents read which emails an order has had."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from shared.kernel.auth import ApiKeys, KeyHolder
from shared.kernel.dependencies import ServiceDatabase

router = APIRouter(tags=["mail history"])
_MOST = 200
_MAILS = f"""
SELECT m.kind, m.state, m.channel, m.smtp_code, m.enhanced_code, m.created_at, m.settled_at, m.bounced_at,
  m.soft_bounces FROM mails m
WHERE m.order_id = :order ORDER BY m.created_at DESC, m.kind, m.subject_id LIMIT {_MOST}
"""
_ORDER = "SELECT delivered_at, channel, shown_at, resends FROM orders WHERE order_id = :order"


class SentMail(BaseModel):
    """An email about an order, without its text and address. `settled_at`: when it reached its state."""

    kind: Annotated[str, Field(examples=["qr"])]
    state: Annotated[
        Literal["waiting", "due", "sent", "refused", "bounced", "merged", "blocked", "dropped"],
        Field(
            description="waiting: for the contact; due: being sent; refused: by the mailbox; bounced: accepted, then "
            "returned; merged: another email says the same; blocked: the buyer's data are (PP 6.2); dropped: without a "
            "purpose by then",
            examples=["sent"],
        ),
    ]
    channel: Annotated[str | None, Field(description="how a code was sent", examples=["email"])]
    smtp_code: Annotated[int | None, Field(examples=[None])]
    enhanced_code: Annotated[str | None, Field(examples=[None])]
    created_at: datetime
    settled_at: datetime | None
    bounced_at: Annotated[datetime | None, Field(examples=[None])]
    soft_bounces: Annotated[int, Field(description="temporary failures that the mail system reported", examples=[0])]


class OrderMails(BaseModel):
    """The newest 200 emails about an order. `known` false: no fact about the order has arrived here yet."""

    known: bool
    delivered_at: Annotated[datetime | None, Field(description="the first delivery of the code (PO 3.4)")]
    delivered_by: Annotated[str | None, Field(examples=["email"])]
    shown_at: Annotated[datetime | None, Field(description="first shown on the order's page")]
    resends: Annotated[int, Field(description="how often the buyer had the code sent again", examples=[0])]
    mails: list[SentMail]


def _agent_keys(request: Request) -> ApiKeys:
    keys: ApiKeys = request.app.state.newsletters.agent_keys
    return keys


#: The name of the calling agent. Raises Problem (401) for any other caller.
CallingAgent = Annotated[str, Depends(KeyHolder("agent", _agent_keys))]


@router.get("/orders/{order_id}/mails", name="mails")
async def mails_of_order(order_id: UUID, _agent: CallingAgent, database: ServiceDatabase) -> OrderMails:
    """The emails about an order, the newest first, with refusals and bounces; no text and no address."""
    async with database.reading() as tx:
        order: Any = (await tx.execute(_ORDER, order=order_id)).one_or_none()
        mails = [SentMail(**row) for row in (await tx.execute(_MAILS, order=order_id)).mappings()]
    return OrderMails(
        known=order is not None,
        delivered_at=None if order is None else order.delivered_at,
        delivered_by=None if order is None else order.channel,
        shown_at=None if order is None else order.shown_at,
        resends=0 if order is None else order.resends,
        mails=mails,
    )
