"""The tables of payments. Amounts are minor units (tiyn, cents)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp
from shared.keys.tables import api_keys_table

metadata = MetaData()

#: Invoice ids: 9 digits and more, consecutive, so the last six repeat only after a million (docs/wire/epay.md).
invoice_ids = Sequence("invoice_ids", metadata=metadata)

#: An order as it is to be paid. `captured_invoice` names the one capture that is kept (invariant I2);
#: `refunded_minor` counts what was refunded and what is being refunded, so no two refunds can promise the same money.
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
    timestamp("lapse_at", server_default=text("now() + interval '1 day'")),
    timestamp("lapsed_at"),
    Index("payment_orders_lapse", "lapse_at"),
    CheckConstraint("refunded_minor >= 0 AND refunded_minor <= captured_minor", name="refunds_within_capture"),
    CheckConstraint("captured_invoice IS NOT NULL OR captured_minor = 0", name="capture_has_an_invoice"),
)

#: One try to pay one order. state: open | captured | duplicate (a second capture) | failed | expired.
#: No foreign key: it would cost one more write to the order's row, and one transaction inserts both rows.
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
    Index("attempts_opened", "opened_at", postgresql_using="brin"),
)

#: Webhooks with the secret of their attempt, without card and contact data.
notifications = Table(
    "notifications",
    metadata,
    Column("invoice_id", BigInteger, primary_key=True),
    Column("transaction_id", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("reason_code", Integer),
    timestamp("received_at", nullable=False),
)

#: Buyers' contact data for the payment page; the newest `updated_at` wins, a tombstone deletes the row (PP 6.2).
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

#: One refund. state: approved | calling (the bank may have been asked) | settled | failed (refused;
#: a person retries it or pays it by hand) | paid_by_hand. `attempt` counts the attempts at the bank; `hand_minor` is
#: what persons paid or are about to pay, kept by a trigger on hand_payments, so an attempt asks for
#: `amount_minor - hand_minor`. `refused_at` is the first refusal.
#: `owed_minor` is what the bank still held of the capture before the call: it distinguishes a full from a partial
#: refund.
#: `charge_id` names a surplus capture, none the kept one; `funds` is the account that the promise was taken from.
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
    Column("charge_id", Uuid),
    Column("funds", Text),
    timestamp("pay_by"),
    Column("credited_from", Date),
    Column("credited_at_latest", Date),
    timestamp("warned_at"),
    timestamp("missed_at"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("bank_code", Integer),
    timestamp("refused_at"),
    Column("hand_minor", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("hand_minor >= 0 AND hand_minor <= amount_minor", name="hand_payments_within_refund"),
    Index("refunds_refused", "refused_at", postgresql_where=text("state = 'failed'")),
    Index("refunds_pay_by", "pay_by", postgresql_where=text("state IN ('approved', 'calling')")),
    CheckConstraint("amount_minor > 0", name="refund_is_positive"),
    Index("refunds_one_call_per_order", "order_id", unique=True, postgresql_where=text("state = 'calling'")),
    Index("refunds_order", "order_id"),
)

#: A refused refund, or a part of it, that a person paid another way. state: recorded (a second person has to confirm) |
#: confirming (the bank is asked first) | confirmed | rejected (by that person) | refused (the bank had paid meanwhile).
#: Triggers: only of a refund in state failed; nothing recorded ever changes. `funds`: the account it was taken from.
#: `recorded_by`, `decided_by`: accounts of refunds' agents, as ids without a name; a CHECK wants two persons.
hand_payments = Table(
    "hand_payments",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("refund_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("way", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("funds", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("recorded_by", Uuid, nullable=False),
    timestamp("recorded_at", nullable=False),
    Column("decision_id", Uuid),
    Column("decided_by", Uuid),
    timestamp("decided_at"),
    timestamp("ended_at"),
    Column("refusal", Text),
    CheckConstraint("amount_minor > 0", name="hand_payment_is_positive"),
    CheckConstraint("decided_by IS NULL OR decided_by <> recorded_by", name="hand_payment_second_person"),
    Index(
        "hand_payments_one_open",
        "refund_id",
        unique=True,
        postgresql_where=text("state IN ('recorded', 'confirming')"),
    ),
    Index("hand_payments_refund", "refund_id"),
)

#: Every action of a person on a refused refund, under its own key: it has an effect once, however often it arrives.
refund_actions = Table(
    "refund_actions",
    metadata,
    Column("action_id", Uuid, primary_key=True),
    Column("refund_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("asked_by", Uuid, nullable=False),
    timestamp("answered_at", nullable=False),
    Column("refusal", Text),
    Index("refund_actions_refund", "refund_id"),
)

#: Captures of an order that had been paid before (RF 2.4); they are refunded. Rare, so in a table of their own.
surplus_charges = Table(
    "surplus_charges",
    metadata,
    Column("charge_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("invoice_id", BigInteger, nullable=False, unique=True),
    Column("transaction_id", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("currency", Text, nullable=False),
    timestamp("captured_at", nullable=False),
    CheckConstraint("refunded_minor >= 0 AND refunded_minor <= amount_minor", name="surplus_refunds_within_capture"),
    Index("surplus_charges_order", "order_id"),
)

#: Double entry: each row takes `amount_minor` from one account of an order and gives it to another, so that no row can
#: be unbalanced. Triggers make it append-only, and prevent that an account except bank_clearing is overdrawn. The
#: primary key is the business key: one posting per capture, and one of each kind per refund.
ledger = Table(
    "ledger",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("entry_id", BigInteger, Identity(always=True), nullable=False),
    timestamp("posted_at", nullable=False),
    Column("storefront", Text, nullable=False),
    Column("invoice_id", BigInteger, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    PrimaryKeyConstraint("order_id", "kind", "key", name="ledger_pkey"),
    Index("ledger_posted", "posted_at", postgresql_using="brin"),
)

#: Orders whose ledger differs from their captures and refunds. Any row is an alarm.
ledger_imbalances = Table(
    "ledger_imbalances",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("off_minor", BigInteger, nullable=False),
    timestamp("found_at", nullable=False),
)

#: A day (UTC) compared with the bank: the number of planned and of compared invoices.
reconciliations = Table(
    "reconciliations",
    metadata,
    Column("day", Date, primary_key=True),
    timestamp("started_at", nullable=False),
    Column("planned", Integer, nullable=False, server_default="0"),
    Column("compared", Integer, nullable=False, server_default="0"),
    timestamp("finished_at"),
)

#: Differences found by that comparison: the kind, our value and the bank's.
reconciliation_differences = Table(
    "reconciliation_differences",
    metadata,
    Column("day", Date, primary_key=True),
    Column("invoice_id", BigInteger, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("ours", Text, nullable=False),
    Column("banks", Text, nullable=False),
    timestamp("found_at", nullable=False),
)

#: A fiscal receipt, issued or to be issued. kind: sale (of the kept capture) | sale_return (of a settled refund).
#: `number` is its ExternalCheckNumber, stored before the first call; `cashbox` the register that issues it;
#: `fiscal_time` the register's own clock, which a return must repeat. Issued when `issued_at` is set.
receipts = Table(
    "receipts",
    metadata,
    Column("receipt_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("refund_id", Uuid),
    Column("number", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    timestamp("born_at", nullable=False),
    timestamp("asked_at"),
    Column("cashbox", Text),
    Column("check_number", Text),
    Column("registration_number", Text),
    Column("fiscal_time", Text),
    Column("ticket_url", Text),
    Column("offline", Boolean),
    timestamp("issued_at"),
    UniqueConstraint("number", name="receipts_number"),
    CheckConstraint("amount_minor > 0", name="receipt_is_positive"),
    CheckConstraint("length(number) <= 50", name="receipt_number_fits"),
    CheckConstraint("(kind = 'sale_return') = (refund_id IS NOT NULL)", name="return_has_a_refund"),
    CheckConstraint(
        "issued_at IS NULL OR (check_number IS NOT NULL AND ticket_url IS NOT NULL)", name="issued_has_a_check"
    ),
    Index("receipts_one_sale", "order_id", unique=True, postgresql_where=text("kind = 'sale'")),
    Index("receipts_one_return", "refund_id", unique=True, postgresql_where=text("refund_id IS NOT NULL")),
    Index("receipts_order", "order_id"),
    Index("receipts_waiting", "storefront", "born_at", postgresql_where=text("issued_at IS NULL")),
)

#: The instance that uses a cash register now; a register takes one request at a time.
register_turns = Table(
    "register_turns",
    metadata,
    Column("cashbox", Text, primary_key=True),
    Column("holder", Uuid),
    timestamp("until", nullable=False),
)

#: Scheduled jobs: the transaction that locks the row runs the job; `until` is the moment up to which it has looked.
housekeeping = Table(
    "housekeeping",
    metadata,
    Column("name", Text, primary_key=True),
    timestamp("due_at", nullable=False),
    timestamp("until", nullable=False),
)

#: The API keys of shops, as ordering publishes them.
api_keys = api_keys_table(metadata)
