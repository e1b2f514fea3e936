"""The tables of payments. Amounts are minor units (tiyn, cents)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

metadata = MetaData()

#: Invoice ids: 9 digits and more, consecutive, so the last six repeat only after a million (interfaces.md section 1).
invoice_ids = Sequence("invoice_ids", metadata=metadata)

#: An order as it is to be paid. `captured_invoice` names the one capture that is kept (invariant I2);
#: `refunded_minor` counts what went back and what is on its way, so no two refunds can promise the same money.
payment_orders = Table(
    "payment_orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("iccid", Text),
    Column("plan", JSONB, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    timestamp("placed_at", nullable=False),
    Column("trace", Text),
    Column("captured_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("captured_invoice", BigInteger),
    Column("transaction_id", Text),
    timestamp("paid_at"),
    CheckConstraint("refunded_minor >= 0 AND refunded_minor <= captured_minor", name="refunds_within_capture"),
    CheckConstraint("captured_invoice IS NOT NULL OR captured_minor = 0", name="capture_has_an_invoice"),
)

#: One try to pay one order. state: open | captured | duplicate (a second capture) | failed | expired.
#: No foreign key: it would write to the order's row once more for every order, and both are born in one transaction.
attempts = Table(
    "attempts",
    metadata,
    Column("invoice_id", BigInteger, invoice_ids, server_default=invoice_ids.next_value(), primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("reason_code", Integer),
    Column("transaction_id", Text),
    timestamp("opened_at", nullable=False),
    timestamp("handed_out_at"),
    timestamp("settled_at"),
    UniqueConstraint("order_id", "number", name="attempts_order_number"),
)

#: Webhooks that knew their attempt's secret: what triggered us, without card or contact data.
notifications = Table(
    "notifications",
    metadata,
    Column("invoice_id", BigInteger, primary_key=True),
    Column("transaction_id", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("reason_code", Integer),
    timestamp("received_at", nullable=False),
)

#: For the bank's payment page; the newest `updated_at` wins, a tombstone deletes the row (PP 6.2).
contacts = Table(
    "contacts",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("language", Text, nullable=False),
    timestamp("updated_at", nullable=False),
)

#: One intended return of money. state: approved | calling (the bank may have been asked) | settled | failed.
#: `owed_minor` is what was left of the capture when the call was intended: it tells a full from a partial refund.
refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="approved"),
    Column("owed_minor", BigInteger),
    Column("failure", Text),
    Column("credited_by", Date),
    timestamp("approved_at", nullable=False),
    timestamp("called_at"),
    timestamp("ended_at"),
    CheckConstraint("amount_minor > 0", name="refund_is_positive"),
    Index("refunds_one_call_per_order", "order_id", unique=True, postgresql_where=text("state = 'calling'")),
    Index("refunds_order", "order_id"),
)
