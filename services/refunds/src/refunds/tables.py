"""The tables of refunds. Amounts are minor units (tiyn, cents); further constraints are in migrations."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from refunds.chat_tables import chat_tables, site_tables
from refunds.mail_tables import (
    answer_templates_table,
    support_answers_table,
    support_mail_files_table,
    support_mails_table,
)
from refunds.representative_tables import representation_acts_table, representations_table
from shared.core_tables import timestamp
from shared.keys.tables import api_keys_table
from shared.signin.tables import sign_in_tables

metadata = MetaData()

#: The facts of an order. Each fact fills its own columns when it is first reported; null: not reported.
#: `case_opened_at` marks that the case of a failed generation is opened. `approved_minor` is kept by a trigger on cases
#: and never exceeds what was paid. The row is the lock of an order: every decision about its cases holds it.
order_facts = Table(
    "order_facts",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    timestamp("paid_at"),
    Column("paid_minor", BigInteger),
    Column("currency", Text),
    timestamp("generated_at"),
    timestamp("failed_at"),
    Column("failure", Text),
    Column("failure_statuses", JSONB),
    timestamp("delivered_at"),
    Column("delivery_channel", Text),
    timestamp("delivery_failed_at"),
    Column("delivery_failure", Text),
    timestamp("settled_at"),
    timestamp("refund_failed_at"),
    timestamp("case_opened_at"),
    Column("kind", Text),
    Column("iccid", Text),
    timestamp("revoked_at"),
    Column("revoked_case_id", Uuid),
    timestamp("revocation_refused_at"),
    Column("revocation_refusal", Text),
    Column("revocation_case_id", Uuid),
    timestamp("expired_at"),
    Column("expiry", Text),
    timestamp("top_up_applied_at"),
    Column("approved_minor", BigInteger, nullable=False, server_default="0"),
    # Nearly empty: it holds failed orders that have no case yet.
    Index(
        "order_facts_awaiting_case",
        "order_id",
        postgresql_where=text("failed_at IS NOT NULL AND case_opened_at IS NULL"),
    ),
    Index("order_facts_paid", "paid_at", postgresql_using="brin"),
    Index("order_facts_number", "order_number"),
    Index("order_facts_buyer", "buyer_id"),
)

#: Reports about a profile. Kept are the earliest moment of each step, the highest data use, and the
#: newest state of each source, so that the order of the reports does not matter. `asked_at`: when the operator last
#: answered a case's own request (only such a report counts as fresh); `unreached_at`: when it could not be reached.
observations = Table(
    "observations",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("install_state", Text, nullable=False),
    Column("install_source", Text),
    timestamp("install_observed_at"),
    Column("used_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    Column("usage_source", Text),
    timestamp("usage_observed_at"),
    timestamp("downloaded_at"),
    timestamp("installed_at"),
    timestamp("activated_at"),
    timestamp("deleted_at"),
    timestamp("plan_ends_at"),
    timestamp("asked_at"),
    timestamp("observed_at"),
    timestamp("unreached_at"),
)

#: Surplus captures (payments.duplicate-charged): each goes back by a case of its own, and never more than it took.
charges = Table(
    "charges",
    metadata,
    Column("charge_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    timestamp("captured_at", nullable=False),
    timestamp("case_opened_at"),
    Column("approved_minor", BigInteger, nullable=False, server_default="0"),
    Index("charges_order", "order_id"),
)

#: Keyed hashes of a buyer's e-mail and phone, with which the contact in a request is checked.
contacts = Table(
    "contacts",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("email_hash", LargeBinary),
    Column("phone_hash", LargeBinary),
    timestamp("updated_at"),
    timestamp("erased_at"),
    Index("contacts_email", "email_hash"),
)

#: One open case per order and ground; a later one of the same ground is another round. The row is the to-do: `verdict`
#: is today's (await_* included), `due_at` the next promise and `due_kind` which one. Closed: denied, settled or
#: superseded (`closed_as`).
cases = Table(
    "cases",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("ground", Text, nullable=False),
    Column("origin", Text, nullable=False),
    timestamp("requested_at", nullable=False),
    Column("verdict", Text),
    timestamp("decided_at"),
    Column("refund_id", Uuid),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("policy", Text),
    Column("grounds", JSONB),
    Column("explanation", JSONB),
    timestamp("pay_by"),
    Column("credited_by", Date),
    Column("round", Integer, nullable=False, server_default="1"),
    Column("reason", Text),
    Column("channel", Text, nullable=False, server_default="system"),
    timestamp("received_at"),
    timestamp("completed_at"),
    Column("provided", JSONB),
    Column("missing", JSONB),
    Column("asked_for", JSONB),
    timestamp("observation_asked_at"),
    Column("deadlines", JSONB),
    timestamp("due_at"),
    Column("due_kind", Text),
    Column("alarmed", JSONB),
    Column("charge_id", Uuid),
    Column("decided_by", Text),
    Column("finding", Text),
    timestamp("found_at"),
    Column("found_by", Text),
    timestamp("restored_at"),
    Column("fair_use_violated", Boolean),
    Column("buyer_caused_delay", Boolean),
    Column("legal_rule", Text),
    timestamp("cancellation_accepted_at"),
    timestamp("appealed_at"),
    Column("appeal_of", Text),
    timestamp("appeal_answer_by"),
    timestamp("appeal_answered_at"),
    timestamp("observing_since"),
    timestamp("observe_after"),
    Column("possible", JSONB),
    Column("profile_finding", Text),
    timestamp("profile_found_at"),
    Column("approval", JSONB),
    timestamp("revocation_asked_at"),
    timestamp("revocation_refused_at"),
    Column("pay_unrevoked", Boolean),
    timestamp("person_since"),
    Column("person_why", Text),
    timestamp("closed_at"),
    Column("closed_as", Text),
    Column("trace", Text),
    Column("shop_amount_minor", BigInteger),
    Column("shop_request", Text),
    UniqueConstraint("order_id", "ground", "round", name="cases_order_ground_round"),
    UniqueConstraint("refund_id", name="cases_refund"),
    Index("cases_open", "order_id", "ground", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("cases_due", "due_at", postgresql_where=text("closed_at IS NULL")),
    Index("cases_shop", "ground", unique=True, postgresql_where=text("shop_request IS NOT NULL")),
)

#: What payments reported about each refund; apart from the case, so that either may come first. `failed_at` and
#: `failure` are the first refusal's; attempts count from 1, and one above `failed_attempt` is under way.
refund_outcomes = Table(
    "refund_outcomes",
    metadata,
    Column("refund_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    timestamp("settled_at"),
    timestamp("failed_at"),
    Column("failure", Text),
    Column("failed_attempt", Integer),
    Column("retried_attempt", Integer),
    Column("left_minor", BigInteger),
    Column("last_failure", Text),
    Column("bank_code", Integer),
    timestamp("last_failed_at"),
)

#: What agents did about refused refunds. kind: retry | hand_payment (`decision_*`: a second person's word on it).
#: `accepted` and `decision_accepted` are payments' answers; open until `ended_at`, and one at a time per refund.
refund_actions = Table(
    "refund_actions",
    metadata,
    Column("action_id", Uuid, primary_key=True),
    Column("refund_id", Uuid, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    timestamp("requested_at", nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("way", Text),
    Column("reference", Text),
    timestamp("answered_at"),
    Column("accepted", Boolean),
    Column("refusal", Text),
    Column("decision_id", Uuid),
    Column("decided_by", Text),
    timestamp("decided_at"),
    Column("confirmed", Boolean),
    timestamp("decision_answered_at"),
    Column("decision_accepted", Boolean),
    Column("decision_refusal", Text),
    timestamp("ended_at"),
    UniqueConstraint("decision_id", name="refund_actions_decision"),
    Index("refund_actions_one_open", "refund_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("refund_actions_case", "case_id", "requested_at"),
)

#: What provisioning reported about the revocation that a case requested. Several cases of an order may request one.
revocations = Table(
    "revocations",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    timestamp("revoked_at"),
    timestamp("refused_at"),
    Column("refusal", Text),
    Column("in_use", Boolean),
)

#: Every decision that changed something, with the facts it rested on. Written once: a trigger refuses anything else.
decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", Uuid, primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False),
    timestamp("decided_at", nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("answer", JSONB, nullable=False),
    Index("decisions_case", "case_id", "decided_at"),
    Index("decisions_when", "decided_at"),
)

#: Who did what, and when. Written once. No personal data: what a buyer or an agent wrote is in `notes`.
audit = Table(
    "audit",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    Column("case_id", Uuid),
    Column("order_id", Uuid),
    timestamp("at", nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Index("audit_case", "case_id", "at"),
)

#: Words about a case: circumstances, evidence, agents' notes. May hold personal data, so they end (`keep_until`) and go
#: with their buyer.
notes = Table(
    "notes",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    timestamp("at", nullable=False),
    Column("who", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    timestamp("keep_until", nullable=False),
    Index("notes_case", "case_id", "at"),
    Index("notes_buyer", "buyer_id"),
    Index("notes_end", "keep_until"),
)

#: Who works on a case, and up to when agents have read what the buyer wrote. Cases without a row: nobody, nothing.
case_handling = Table(
    "case_handling",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("assignee", Text),
    timestamp("assigned_at"),
    timestamp("read_at"),
    # Written by earlier releases. Who has read is in the audit trail.
    Column("read_by", Text),
)

#: Written claims (PO 7.3, PP 7.3): answered within 30 calendar days. `reference` is the letter's own.
claims = Table(
    "claims",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("reference", Text, nullable=False),
    Column("channel", Text, nullable=False),
    timestamp("received_at", nullable=False),
    timestamp("answer_by", nullable=False),
    timestamp("answered_at"),
    Column("answered_by", Text),
    timestamp("alarmed_at"),
    Index("claims_order", "order_id"),
    Index("claims_open", "answer_by", postgresql_where=text("answered_at IS NULL")),
)

#: Deadlines of cases and claims that agents were alerted of before they passed.
deadline_alerts = Table(
    "deadline_alerts",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    timestamp("due_at", primary_key=True),
    timestamp("alerted_at", nullable=False),
    Index("deadline_alerts_end", "due_at"),
)

#: By channel and kind; see chat_tables.
CHAT_TABLES = {channel: chat_tables(metadata, channel) for channel in ("telegram", "whatsapp", "site")}
site_answers, site_guesses = site_tables(metadata)

sign_in_tables(metadata)

#: The API keys of shops, as ordering publishes them.
api_keys = api_keys_table(metadata)

support_mails = support_mails_table(metadata)
support_mail_files = support_mail_files_table(metadata)
support_answers = support_answers_table(metadata)
answer_templates = answer_templates_table(metadata)

representations = representations_table(metadata)
representation_acts = representation_acts_table(metadata)
