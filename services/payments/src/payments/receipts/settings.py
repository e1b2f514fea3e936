"""The cash registers of the storefronts that have one."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from payments.clients.webkassa.receipts import SERVICE, Tax
from shared.values.count import LARGEST_INT
from shared.values.text import Line

Text = Annotated[str, Line(100)]


class CashRegister(BaseModel):
    """A register at Webkassa, and what its receipts say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cashbox: Text
    #: Of the register, at the tax authority. Only for answers that do not name it: a return has to.
    registration_number: Text | None = None
    login: Text
    password: SecretStr
    #: VAT that prices contain, in per cent; null: none is charged (TaxType 0).
    vat_percent: Decimal | None = Field(None, ge=0, lt=100, max_digits=5, decimal_places=2)
    #: Webkassa's PositionType of what is sold: 2, a service.
    position_type: int = Field(SERVICE, ge=0, le=LARGEST_INT)
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
