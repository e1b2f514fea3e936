"""What callers send over HTTP: requests, cancellations, findings, appeals."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from refunds.policy import Reason, RequestField
from shared.contracts import Money
from shared.contracts.base import Currency
from shared.values.moment import Day, Moment
from shared.values.money import LARGEST
from shared.values.text import Line, Lines

Channel = Literal["email", "chat", "whatsapp", "telegram", "account", "form"]
Short = Annotated[str, Line(200)]
LongText = Annotated[str, Lines(4000)]


class _RequestBody(BaseModel):
    """How a request came, and what came with it.

    `provided` names fields whose values stay with whoever took them. Of the values given here e-mail and phone are
    compared with the order's own and dropped, name and payment date are only noted as given; circumstances and
    evidence are kept for the agent, for a limited time.
    """

    model_config = ConfigDict(extra="forbid")

    channel: Channel = "form"
    #: When the buyer asked, where that was earlier; agents only.
    received_at: Moment | None = None
    provided: frozenset[RequestField] = frozenset()
    full_name: Short | None = Field(None, repr=False)
    email: Short | None = Field(None, repr=False)
    phone: Short | None = Field(None, repr=False)
    payment_date: Day | None = None
    circumstances: Annotated[str, Lines(4000, 0)] | None = Field(None, repr=False)
    #: References to screenshots, texts of errors.
    evidence: tuple[Annotated[str, Lines(1000)], ...] = Field((), max_length=20, repr=False)

    def fields_given(self) -> Iterator[str]:
        """The fields that came with the request."""
        yield "order_number"  # the address names the order
        yield from self.provided
        for field in ("full_name", "email", "phone", "payment_date", "evidence"):
            if getattr(self, field):
                yield field
        if self.circumstances:
            yield "reason"

    def words(self) -> tuple[tuple[str, str], ...]:
        """What is kept for the agent: (kind, text)."""
        circumstances = [("circumstances", self.circumstances)] if self.circumstances else []
        return (*circumstances, *(("evidence", text) for text in self.evidence))


class CancellationRequest(_RequestBody):
    """A cancellation. The reason needs not be given."""

    def fields_given(self) -> Iterator[str]:
        yield from super().fields_given()
        yield "reason"


class RefundRequest(_RequestBody):
    """A request for a refund. Whoever gives the reason gives the field `reason`."""

    reason: Reason

    def fields_given(self) -> Iterator[str]:
        yield from super().fields_given()
        yield "reason"


class ShopAmount(BaseModel):
    """What the shop returns, in minor units of the order's currency."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[int, Field(ge=0, le=LARGEST, examples=[300])]
    currency: Annotated[Currency, Field(examples=["USD"])]

    @property
    def money(self) -> Money:
        """The same as money."""
        return Money(amount=self.amount, currency=self.currency)


class ShopRefundBody(BaseModel):
    """The shop's own decision to return money. Without `amount`: all that is left of the payment."""

    model_config = ConfigDict(extra="forbid")

    amount: ShopAmount | None = None
    #: Kept for agents, for a limited time, and never published: it may name the buyer.
    reason: Annotated[str, Line(500)] = Field(repr=False, examples=["The data ran slowly on two days."])


class FindingBody(BaseModel):
    """What support found out; whatever is left out stays as it is. An empty finding answers an appeal."""

    model_config = ConfigDict(extra="forbid")

    finding: Literal["technical_failure", "no_failure"] | None = None
    restored: bool = False
    fair_use_violated: bool | None = None
    buyer_caused_delay: bool | None = None
    #: The law or payment-service rule that makes the refund mandatory (RF 2.5).
    legal_rule: Annotated[str, Line(500)] | None = None
    #: What the operator reported about the profile outside its interfaces (by telephone, in its portal).
    profile: Literal["unused", "used"] | None = None
    #: Pay although the profile could not be revoked; only where the case waits for a person because of that.
    pay_unrevoked: bool = False
    note: LongText | None = Field(None, repr=False)


class AppealBody(BaseModel):
    """The buyer's objections to the denial. They are kept for the agent, for a limited time."""

    model_config = ConfigDict(extra="forbid")

    text: LongText | None = Field(None, repr=False)
