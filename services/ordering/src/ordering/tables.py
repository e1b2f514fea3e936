"""Ordering's own tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp
from shared.keys.tables import api_keys_table

metadata = MetaData()

#: Epay wants 6-15 digits (docs/wire/epay.md); eight look like an order number and leave room to grow.
order_numbers = Sequence("order_numbers", start=10_000_001, metadata=metadata)

#: Personal data: the contact of each order, which no other order changes (I14). Buyers from before migration 0005 have
#: one contact for all of their orders.
#: `mailbox_key`: the same for all spellings of an address. Null in rows of the previous release, which has it in
#: `email_key`; rows of this release have the buyer id there, so that the previous release finds nobody to overwrite.
#: `proved_email`: the address that was proved, by `link` or `code`. If the contact has another address now, it is not
#: proved.
#: `newsletter`: consent from before migration 0005; since then notifications stores it. `newsletter_asked`: the order
#: requested it.
buyers = Table(
    "buyers",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("storefront", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("language", Text, nullable=False),
    #: The legal person that the order is for (PO 1); null: a private person.
    Column("company", JSONB),
    Column("newsletter", Boolean, nullable=False),
    timestamp("updated_at", nullable=False),
    #: PP 6.2: stored but not used, until the mailbox's owner lifts the block.
    Column("blocked", Boolean, nullable=False, server_default=false()),
    Column("mailbox_key", Text),
    Column("newsletter_asked", Boolean, nullable=False, server_default=false()),
    Column("proved_email", Text),
    timestamp("proved_at"),
    Column("proved_by", Text),
    Index("buyers_person", "storefront", "email_key", unique=True),
    Index("buyers_mailbox", "storefront", "mailbox_key", "updated_at", postgresql_include=["buyer_id"]),
    Index("buyers_phone", "phone", "updated_at"),
    Index("buyers_company_number", text("(company ->> 'number')"), postgresql_where=text("company IS NOT NULL")),
    Index(
        "buyers_company_name",
        text("to_tsvector('simple'::regconfig, company ->> 'name')"),
        postgresql_using="gin",
        postgresql_where=text("company IS NOT NULL"),
    ),
    Index("buyers_name", text("to_tsvector('simple'::regconfig, name)"), postgresql_using="gin"),
)

#: Idempotency keys of accepted orders, for HTTP and Kafka together. The key of a refused order is not stored.
submissions = Table(
    "submissions",
    metadata,
    Column("storefront", Text, primary_key=True),
    Column("submission_id", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Index("submissions_order", "order_id"),
)

#: Orders as they were accepted; rows never change. No foreign key to buyers: the orders of an erased buyer stay.
orders = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("number", BigInteger, order_numbers, server_default=order_numbers.next_value(), nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("iccid", Text),
    Column("plan", JSONB, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("offer_version", Text, nullable=False),
    Column("privacy_version", Text, nullable=False),
    timestamp("placed_at", nullable=False),
    Column("trace", Text),
    #: Placed with a key for tests, in a sandbox deployment.
    Column("test", Boolean, nullable=False, server_default=false()),
    Index("orders_number", "number", unique=True),
    Index("orders_buyer", "buyer_id", postgresql_include=["storefront", "placed_at", "order_id"]),
    Index("orders_newest", "storefront", "placed_at", "order_id"),
    Index("orders_iccid", "iccid", postgresql_where=text("iccid IS NOT NULL")),
    Index("orders_plan", "storefront", text("(plan ->> 'id')"), "placed_at", "order_id"),
)

#: The status of each order, as it follows from its facts: what orders are listed by. Apart from `orders`, because a
#: change of status writes every index of its row. Null: to be derived (`timeline/store.py`). A trigger inserts a row
#: for each order; another one sets the status to null when an instance of the previous release records a fact.
order_statuses = Table(
    "order_statuses",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("storefront", Text, nullable=False),
    Column("plan", Text, nullable=False),
    timestamp("placed_at", nullable=False),
    Column("status", Text),
    Index("order_statuses_status", "storefront", "status", "placed_at", "order_id"),
    Index("order_statuses_plan", "storefront", "plan", "status", "placed_at", "order_id"),
    Index("order_statuses_due", "order_id", postgresql_where=text("status IS NULL")),
)

#: Facts that the other services published about an order, one row each. A fact may arrive before its order, so there is
#: no foreign key. `ref` distinguishes several facts of a kind (attempts to pay, refund cases).
#: `in_status`: the transaction that inserted the fact stored the order's status too; null: a previous release did it.
order_facts = Table(
    "order_facts",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("fact", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    timestamp("at", nullable=False),
    Column("detail", JSONB),
    Column("trace", Text),
    Column("in_status", Boolean),
)

#: The eSIMs that were sold, by ICCID: for the check of top-ups before payment, and for what a shop reads of them. Each
#: event sets its own columns, so the end of an eSIM may arrive before its beginning. `install_…`, `used_bytes`,
#: `total_bytes`: as operators reported them last; null is unknown, never "not installed" or zero (I15).
esims = Table(
    "esims",
    metadata,
    Column("iccid", Text, primary_key=True),
    Column("order_id", Uuid),
    Column("storefront", Text),
    Column("plan", JSONB),
    timestamp("revoked_at"),
    timestamp("expired_at"),
    timestamp("deleted_at"),
    timestamp("valid_until"),
    Column("install_state", Text),
    timestamp("install_observed_at"),
    Column("used_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    timestamp("usage_observed_at"),
    timestamp("plan_ends_at"),
    Index("esims_order", "order_id"),
)

#: Consent and the technical data of the checkout (PP 3.3, 4.5, 2.1); deleted after `keep_until`. The versions that were
#: accepted and the time stay on the order.
session_records = Table(
    "session_records",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("offer_version", Text, nullable=False),
    Column("privacy_version", Text, nullable=False),
    timestamp("consented_at", nullable=False),
    Column("ip", Text),
    Column("user_agent", Text),
    Column("referrer", Text),
    timestamp("keep_until", nullable=False),
    #: The /64 of an IPv6 address; null for IPv4 and in rows of before migration 0009.
    Column("network", Text),
    Index("session_records_end", "keep_until"),
    Index("session_records_ip", "ip", "consented_at"),
    Index("session_records_network", "network", "consented_at", postgresql_where=text("network IS NOT NULL")),
)

#: Orders that fraud control held before payment (PP 4.5). `decision`: released | refused; null: waits for an agent.
holds = Table(
    "holds",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("rules", JSONB, nullable=False),
    timestamp("held_at", nullable=False),
    Column("decision", Text),
    timestamp("decided_at"),
    Column("decided_by", Text),
    Index("holds_open", "held_at", postgresql_where=text("decision IS NULL")),
)

#: Codes that confirm buyers' requests, as a keyed hash. `payload` (a new contact) is sealed to ordering itself.
#: `contact_hash`: of the contact that the code was sent to; the code is void once the contact has changed.
#: `asked_by`: `shop`, or `page` for the order's account page; null is `shop`.
confirmations = Table(
    "confirmations",
    metadata,
    Column("confirmation_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("payload", LargeBinary),
    Column("tries", Integer, nullable=False, server_default="0"),
    timestamp("requested_at", nullable=False),
    timestamp("expires_at", nullable=False),
    timestamp("confirmed_at"),
    Column("contact_hash", LargeBinary),
    Column("asked_by", Text),
    Index("confirmations_order", "order_id", "requested_at"),
    Index("confirmations_buyer", "buyer_id"),
    Index("confirmations_end", "expires_at"),
)

#: Which fields were corrected, and how that was confirmed; never the values (PP 6.1).
#: `order_id`: the order of the request. `identification`: how an agent identified the person.
contact_changes = Table(
    "contact_changes",
    metadata,
    Column("change_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    timestamp("changed_at", nullable=False),
    Column("identification", JSONB),
    Index("contact_changes_order", "order_id"),
)

#: Requests under PP 6.2: export | block | unblock | erase. Rows stay after an erasure, as its proof.
#: `identification`: how an agent identified the person.
privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("buyer_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("kind", Text, nullable=False),
    timestamp("requested_at", nullable=False),
    timestamp("confirmed_at"),
    Column("confirmed_by", Text),
    Column("trace", Text),
    Column("identification", JSONB),
    Index("privacy_requests_buyer", "buyer_id"),
)

#: The buyers that a request reached when it was confirmed. Without rows it reached its own buyer only.
request_buyers = Table(
    "privacy_request_buyers",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("buyer_id", Uuid, primary_key=True),
    Index("privacy_request_buyers_buyer", "buyer_id"),
)

#: The services that confirmed that a buyer was erased, and what the law requires them to keep.
erasures = Table(
    "erasures",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("kept", JSONB, nullable=False),
    timestamp("erased_at", nullable=False),
)

#: What shops hear about their orders, kept for 30 days. `order_id` is null where a submission was refused. `update_id`
#: is the `webhook-id`; `body` is the payload of the webhook and of the shop's topic. No personal data.
updates = Table(
    "updates",
    metadata,
    Column("update_id", Uuid, primary_key=True),
    Column("storefront", Text, nullable=False),
    Column("order_id", Uuid),
    Column("type", Text, nullable=False),
    Column("ref", Text, nullable=False),
    timestamp("occurred_at", nullable=False),
    Column("body", JSONB, nullable=False),
    Column("trace", Text),
    Index("updates_fact", "order_id", "type", "ref", unique=True),
    Index("updates_of_shop", "storefront", "update_id"),
)

#: Where shops receive webhooks. `types`: a JSON list, null for all. `failures`: consecutive ones since `failing_since`;
#: nothing is sent before `paused_until`. `disabled_reason`: gone | failing | shop.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("endpoint_id", Uuid, primary_key=True),
    Column("storefront", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("types", JSONB),
    timestamp("created_at", nullable=False),
    timestamp("disabled_at"),
    Column("disabled_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    timestamp("failing_since"),
    timestamp("paused_until"),
    timestamp("succeeded_at"),
    Index("webhook_endpoints_shop", "storefront"),
)

#: The secrets that sign an endpoint's webhooks, sealed to ordering itself. Several are valid during a rotation.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("secret_id", Uuid, primary_key=True),
    Column("endpoint_id", Uuid, nullable=False),
    Column("sealed", Text, nullable=False),
    timestamp("created_at", nullable=False),
    timestamp("expires_at"),
    Index("webhook_secrets_endpoint", "endpoint_id"),
)

#: One row for each update and endpoint that hears it. state: waiting | delivered | failed | stopped.
#: The columns `last_*` describe the last attempt; `last_answer` is the first kilobyte of the answer.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("endpoint_id", Uuid, primary_key=True),
    Column("update_id", Uuid, primary_key=True),
    Column("order_id", Uuid),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    timestamp("due_at", nullable=False),
    timestamp("give_up_at", nullable=False),
    timestamp("last_attempt_at"),
    Column("last_status", Integer),
    Column("last_latency_ms", Integer),
    Column("last_answer", Text),
    Column("last_error", Text),
    Index("webhook_deliveries_due", "endpoint_id", "due_at", postgresql_where=text("state = 'waiting'")),
)

#: The API keys of shops that were created at run time.
api_keys = api_keys_table(metadata)
