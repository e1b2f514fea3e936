"""The cash registers of the storefronts that have one."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from payments.domain.receipts import Tax

Text = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class CashRegister(BaseModel):
    """A register at Webkassa, and what its receipts say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cashbox: Text
    login: Text
    password: SecretStr
    #: VAT that prices contain, in per cent; null: none is charged (TaxType 0).
    vat_percent: Decimal | None = Field(None, ge=0, lt=100, max_digits=5, decimal_places=2)
    #: Whether Webkassa gets the buyer's e-mail and telephone too. Our own mail has the address of the receipt anyway.
    send_contact: bool = False

    @property
    def tax(self) -> Tax:
        """The tax on its receipts."""
        return Tax(self.vat_percent)

    @model_validator(mode="after")
    def _password_is_one(self) -> Self:
        if not self.password.get_secret_value().strip():
            raise ValueError("the password of a cash register is empty")
        return self
