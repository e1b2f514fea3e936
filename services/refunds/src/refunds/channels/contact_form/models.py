"""What a visitor of a shop's site writes into the contact form."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from refunds.support_mail.models import Mail
from shared.values.email_address import Email
from shared.values.refusal import InvalidValueError
from shared.values.text import Line, Lines


class ContactMessage(BaseModel):
    """A message. `email`: who writes, as they say; it proves nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Annotated[str, Line(320)] = Field(repr=False, examples=["ann@example.org"])
    text: Annotated[str, Lines(4000)] = Field(repr=False, examples=["It does not work. I ask for a refund."])
    order_number: Annotated[str, Line(40, 0)] = Field("", examples=["100000417"])
    name: Annotated[str, Line(200, 0)] = Field("", repr=False, examples=["Ann Example"])

    @field_validator("email")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        try:
            return Email.parse(text).text
        except InvalidValueError as error:
            raise ValueError(str(error)) from None

    def as_mail(self) -> Mail:
        """The same as an e-mail that nobody vouches for; the same words again are the same mail."""
        number = self.order_number.lstrip("#№ ")
        parts = (self.email.lower(), self.name, number, self.text)
        return Mail(
            message_id="",
            sender=self.email,
            sender_name=self.name,
            proof="unknown",
            automatic=None,
            recipients=(),
            recipient_count=0,
            subject=f"Contact form: order {number}" if number else "Contact form",
            own=self.text,
            quoted="",
            references=(),
            files=(),
            digest=hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest(),
        )


class Received(BaseModel):
    """The message is with support. The answer comes by e-mail, to the contact of the order."""

    outcome: Literal["received"] = "received"
