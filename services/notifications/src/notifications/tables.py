"""The tables of notifications."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp
from shared.keys.tables import api_keys_table

metadata = MetaData()

#: Contacts of buyers; the newest `updated_at` wins. A row without an address is a placeholder: for a contact that an
#: email waits for, or (erased_at) for a buyer who was erased and stays so. `phone` and `storefront` of contacts from
#: before 0003 are empty until the contact is published again. `newsletter`: the mailbox agreed to newsletters, at
#: `newsletter_at` (null: before 0005); of all contacts of one mailbox only one has it. `newsletter_asked`: the order
#: asked for newsletters, which is no consent. `proved_contact_at`: `updated_at` of the contact whose link was used.
contacts = Table(
    "contacts",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("language", Text),
    Column("company", JSONB),
    timestamp("updated_at"),
    timestamp("erased_at"),
    Column("phone", Text),
    Column("storefront", Text),
    Column("newsletter", Boolean, nullable=False, server_default="false"),
    Column("blocked", Boolean, nullable=False, server_default="false"),
    Column("mailbox_key", Text),
    Column("newsletter_asked", Boolean, nullable=False, server_default="false"),
    timestamp("newsletter_at"),
    timestamp("proved_contact_at"),
    Index("contacts_newsletter", "storefront", "buyer_id", postgresql_where=text("newsletter")),
    Index("contacts_mailbox", "storefront", "mailbox_key"),
    Index("contacts_subscribers", "storefront", "mailbox_key", postgresql_where=text("newsletter")),
)

#: One row per email to a buyer: its kind, and its subject (an order, a refund, a receipt, ...). `facts`: the event.
#: state: waiting (for the contact) | due | sent | refused (by the mailbox) | bounced (accepted, then returned) |
#: merged (another email says the same) | blocked (withheld while the buyer's data is blocked) | dropped (without a
#: purpose by then, or the buyer was erased). channel: how a code was sent, `email` or `sms`. `facts` of erased buyers
#: is empty.
mails = Table(
    "mails",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("trace", Text),
    Column("smtp_code", Integer),
    Column("enhanced_code", Text),
    timestamp("created_at", nullable=False),
    timestamp("settled_at"),
    Column("soft_bounces", Integer, nullable=False, server_default="0"),
    timestamp("bounced_at"),
    Column("channel", Text),
    Index("mails_buyer", "buyer_id"),
    Index("mails_order", "order_id"),
)

#: The day (in the storefront's time zone) on which a mailbox had a reminder or a newsletter: one a day. `mailbox` is a
#: SHA-256; `kind` and `subject_id` name the email, of a newsletter `newsletter` and its `mail_id`. Kept for two days.
mailbox_days = Table(
    "mailbox_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("storefront", Text, primary_key=True),
    Column("mailbox", Text, primary_key=True),
    Column("buyer_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Index("mailbox_days_buyer", "buyer_id"),
)

#: Buyers whose mailbox gets no reminders (low data, ends that approach): its owner switched them off.
reminders_off = Table(
    "reminders_off", metadata, Column("buyer_id", Uuid, primary_key=True), timestamp("since", nullable=False)
)

#: The state of an order: each column is set by its own event; ids, amounts and times only. `paid` and `receipt` are
#: the events. answered_at: the email that confirms the order was created (with the receipt, if it was stored by then).
#: delivered_at, channel: the first delivery of the code (PO 3.4); shown_at: first shown on the account page.
orders = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("trace", Text),
    Column("paid", JSONB),
    timestamp("paid_at"),
    Column("receipt", JSONB),
    timestamp("answered_at"),
    timestamp("generated_at"),
    timestamp("valid_until"),
    timestamp("failed_at"),
    timestamp("topped_up_at"),
    timestamp("refunded_at"),
    timestamp("revoked_at"),
    timestamp("expired_at"),
    timestamp("installed_at"),
    timestamp("activated_at"),
    timestamp("plan_ends_at"),
    Column("used_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    timestamp("usage_at"),
    Column("channel", Text),
    timestamp("delivered_at"),
    timestamp("shown_at"),
    Column("resends", Integer, nullable=False, server_default="0"),
    timestamp("resent_at"),
    Index("orders_buyer", "buyer_id"),
    Index("orders_number", "order_number"),
    Index("orders_paid", "paid_at"),
    Index("orders_valid", "valid_until", postgresql_using="brin"),
)

#: Codes that shops had sent again: the idempotency key of each request. `resend_id`: the subject of the email.
shop_resends = Table(
    "shop_resends",
    metadata,
    Column("storefront", Text, primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("resend_id", Uuid, nullable=False),
    timestamp("requested_at", nullable=False),
    Index("shop_resends_order", "order_id", "requested_at"),
)

#: Newsletters. `letters`: by language, {"subject", "text"}; planned_at: all recipients are stored; skipped: how many
#: were left out at the planning, because they had a newsletter that day.
newsletters = Table(
    "newsletters",
    metadata,
    Column("newsletter_id", Uuid, primary_key=True),
    Column("storefront", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("letters", JSONB, nullable=False),
    Column("skipped", Integer, nullable=False, server_default="0"),
    timestamp("created_at", nullable=False),
    timestamp("planned_at"),
    timestamp("stopped_at"),
)

#: Recipients of newsletters. A buyer gets one a day (PP 4.6): `day` is the day in the storefront's time zone, set at
#: the planning and moved if it is sent later; None if nothing was sent.
#: state: planned -> sending (stored before the mail server is called) -> sent | failed | unknown (whether the mail
#: server accepted it is not known: not sent again) | bounced; or skipped (unsubscribed, blocked, erased, or another one
#: was sent that day).
recipients = Table(
    "newsletter_recipients",
    metadata,
    Column("newsletter_id", Uuid, primary_key=True),
    Column("buyer_id", Uuid, primary_key=True),
    Column("mail_id", Uuid, nullable=False),
    Column("day", Date),
    Column("state", Text, nullable=False),
    Column("smtp_code", Integer),
    timestamp("settled_at"),
    Index("newsletter_one_a_day", "buyer_id", "day", unique=True),
    Index("newsletter_mail", "mail_id", unique=True),
)

#: Buyers who get no newsletters, even if their mailbox agreed. reason: unsubscribed | refused (by the mailbox) |
#: bounced.
suppressions = Table(
    "newsletter_suppressions",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("reason", Text, nullable=False),
    timestamp("since", nullable=False),
)

#: The API keys of shops, as ordering publishes them.
api_keys = api_keys_table(metadata)
