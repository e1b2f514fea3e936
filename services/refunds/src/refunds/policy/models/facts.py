"""What a decision rests on: facts about one order and one request, as JSON or as Python values.

Unknown fields, times without an offset and amounts of the wrong scale are refused. An absent field and null mean the
same. There are two kinds of facts:

- What the operator knows of the profile (`install_state`, `used_bytes`): absent is *unknown*, and never read as "no".
- What the platform records itself (delivery, failure, revocation, expiry, an applied top-up, charges, what support
  found): absent means that it has not been recorded.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts import InstallState, Money
from shared.shops.policy import Reason, RequestField

#: In the order of the questions to a buyer.
REQUEST_FIELDS: tuple[RequestField, ...] = get_args(RequestField)

#: The type of the error of a price whose amount is wrong: the model reports it, but it belongs to the field `amount`.
WRONG_AMOUNT = "wrong_amount"
_ISO_8601 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?([Zz]|[+-]\d{2}:?\d{2})?")
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.([0-9]+))?")
#: Decimals of the currencies that do not have two (ISO 4217).
_SCALES = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


def _moment(value: object) -> object:
    """A time with its offset, in UTC."""
    if isinstance(value, str):
        if not _ISO_8601.fullmatch(value):
            raise ValueError("must be a date and time as ISO 8601 writes them, with an offset")
        try:
            value = datetime.fromisoformat(value.upper().replace(",", "."))
        except ValueError:
            raise ValueError("is not a date and time that exists") from None
    if not isinstance(value, datetime):
        raise ValueError("must be a date and time as ISO 8601 writes them, with an offset")  # noqa: TRY004 - as above
    if value.tzinfo is None:
        raise ValueError("must carry an offset, as in 2026-11-20T12:00:00+05:00")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]


def scale(currency: str) -> int:
    """Decimals of a currency's minor unit."""
    return _SCALES.get(currency, 2)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: part for name, part in value.items() if part is not None}


class Price(_Part):
    """An amount in major units, with exactly its currency's decimals: `{"amount": "5990.00", "currency": "KZT"}`."""

    amount: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")

    @model_validator(mode="after")
    def _scale_is_the_currencys(self) -> "Price":
        found = _AMOUNT.fullmatch(self.amount)
        if found is None:
            raise PydanticCustomError(WRONG_AMOUNT, "must be a decimal number without sign, spaces or leading zeros")
        if len(found[1] or "") != scale(self.currency):
            wanted = {"scale": scale(self.currency), "currency": self.currency}
            raise PydanticCustomError(WRONG_AMOUNT, "must have {scale} decimals in {currency}", wanted)
        return self

    @classmethod
    def of(cls, money: Money) -> "Price":
        """The same amount from minor units."""
        digits = scale(money.currency)
        whole, rest = divmod(money.amount, 10**digits)
        return cls(amount=f"{whole}.{rest:0{digits}d}" if digits else str(whole), currency=money.currency)

    @property
    def money(self) -> Money:
        """The same amount in minor units."""
        return Money(amount=int(self.amount.replace(".", "")), currency=self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class Order(_Part):
    """What was bought. `charges`: how often the bank took `paid`."""

    kind: Literal["esim", "top_up"] = "esim"
    paid_at: Moment
    paid: Price
    charges: StrictInt = Field(1, ge=1)
    #: The offer's time limit for this order (RF 2.3); None: unknown, so it is never over.
    delivery_due_at: Moment | None = None


class Delivery(_Part):
    """The code was e-mailed or shown, whichever was first (PO 3.4). `refused_at`: the buyer's mailbox refused it."""

    delivered_at: Moment | None = None
    refused_at: Moment | None = None


class Profile(_Part):
    """The state of the profile. `observed_at`: the time of the operator's report on install state and use; None: none.

    `downloaded`: the QR code was scanned or the code entered.
    """

    generated_at: Moment | None = None
    failed_at: Moment | None = None
    install_state: InstallState = "unknown"
    downloaded_at: Moment | None = None
    installed_at: Moment | None = None
    activated_at: Moment | None = None
    deleted_at: Moment | None = None
    revoked_at: Moment | None = None
    expired_at: Moment | None = None
    plan_ends_at: Moment | None = None
    #: None is unknown, never zero.
    used_bytes: StrictInt | None = Field(None, ge=0)
    observed_at: Moment | None = None


class TopUp(_Part):
    """A top-up order's own fact."""

    applied_at: Moment | None = None


class Support(_Part):
    """What an agent found out."""

    finding: Literal["technical_failure", "no_failure"] | None = None
    found_at: Moment | None = None
    restored_at: Moment | None = None
    fair_use_violated: StrictBool = False
    #: None: it is not decided whose fault a late or refused delivery is.
    buyer_caused_delay: StrictBool | None = None
    #: The law or payment-service rule that makes the refund mandatory (RF 2.5).
    legal_rule: str | None = Field(None, min_length=1, max_length=500)


class Request(_Part):
    """The request of the buyer, and which of the required fields came with it."""

    received_at: Moment
    reason: Reason
    provided: tuple[RequestField, ...] = ()
    #: When the last required document came (RF 5.1); None: with the request.
    completed_at: Moment | None = None


class Facts(_Part):
    """Everything that a decision depends on. `now`: the moment of the decision; None: that of the request."""

    storefront: str
    now: Moment | None = None
    order: Order
    delivery: Delivery = Delivery()
    profile: Profile = Profile()
    top_up: TopUp = TopUp()
    support: Support = Support()
    request: Request

    @property
    def decided_at(self) -> datetime:
        return self.now or self.request.received_at

    @property
    def delivered_at(self) -> datetime | None:
        """When the buyer got what was bought: the code, or the top-up applied."""
        if self.order.kind == "top_up":
            return self.top_up.applied_at or self.delivery.delivered_at
        return self.delivery.delivered_at

    @property
    def never_made(self) -> bool:
        """The platform recorded that it could not make what was bought, and no other fact contradicts that."""
        if self.profile.failed_at is None:
            return False
        if self.order.kind == "top_up":
            return self.top_up.applied_at is None
        profile = self.profile
        return profile.generated_at is None and not self.seen and self.delivery.delivered_at is None

    @property
    def seen(self) -> bool:
        """A report says that the profile exists, or was on a device."""
        profile = self.profile
        moments = (profile.downloaded_at, profile.installed_at, profile.activated_at, profile.deleted_at)
        return any(moments) or bool(profile.used_bytes) or profile.install_state != "unknown"
