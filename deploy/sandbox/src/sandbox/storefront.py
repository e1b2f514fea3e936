"""A scripted buyer: pays on the bank's page with a card whose number decides the outcome."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field

PaidStatus = Literal["CHARGE", "AUTH", "NEW", "FAILED"]


@dataclass(frozen=True, slots=True)
class Card:
    """What a buyer types into the bank's page."""

    number: str
    exp: str = "12/49"
    cvc: str = "123"
    name: str = "AIGERIM TEST"


SUCCESS = Card("4405639800000001")
INSUFFICIENT_FUNDS = Card("4405639800000002")
THREE_D_SECURE_FAILED = Card("4405639800000003")
IN_PROGRESS = Card("4405639800000004")
HELD = Card("4405639800000005")


class PaymentResult(BaseModel):
    """What the page answers at once; the webhook comes later."""

    model_config = ConfigDict(populate_by_name=True)

    status: PaidStatus
    invoice_id: str = Field(alias="invoiceId")
    transaction_id: str = Field(alias="transactionId")
    redirect: str | None
    reason: str
    reason_code: int = Field(alias="reasonCode")


async def pay(
    client: httpx.AsyncClient, bank_url: str, payment_object: Mapping[str, Any], card: Card = SUCCESS
) -> PaymentResult:
    """Press "pay": `bank_url` ends with /epay, `payment_object` is what halyk.pay() would get.

    A payment the page refuses (wrong token, used invoiceID …) raises `httpx.HTTPStatusError`.
    """
    answer = await client.post(f"{bank_url}/payform/pay", json={"payment": dict(payment_object), "card": asdict(card)})
    answer.raise_for_status()
    return PaymentResult.model_validate_json(answer.content)
