"""Every column that can hold text is listed: as personal, with its erasure (PP 6.2), or as not, with the reason.

A new column fails here until somebody has decided. Other types are not listed: ids, times, amounts, counts and flags.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import pytest
from sqlalchemy import Boolean, Date, DateTime, Integer, MetaData, Numeric, Uuid

from shared.core_tables import metadata as core

_WITHOUT_TEXT = (Uuid, DateTime, Date, Integer, Numeric, Boolean)
#: Ours wherever a column has this name: words of a fixed list, and ids and numbers of our own or of other systems.
EVERYWHERE = set(
    """
    clauses confirmed_by currency decided_by delivery_failure failure funds grounds iccid install_state invariant kind
    offer_version operator order_number origin plan policy privacy_version profile_type reason refusal service source
    state statuses storefront topic trace transaction_id verdict way what why channel
    """.split()  # noqa: SIM905 - a list of names, not one a line
)
#: Secrets, sign-in data and names of people who work with the product, and of shops: no buyer's.
STAFF = frozenset(
    {"accounts", "api_keys", "oidc_sign_ins", "sessions", "sign_in_attempts", "sign_in_devices", "webhook_endpoints"}
    | {"webhook_secrets", "newsletters", "operations_log"}
)


@dataclass(frozen=True)
class Service:
    """`erases`: where the statements of an erasure stand. `personal`: columns, by table; they end with their buyer.

    `other`: columns that hold nothing of a buyer although they could, by table: "column: reason".
    """

    tables: str
    erases: tuple[str, ...]
    personal: Mapping[str, str]
    other: Mapping[str, tuple[str, ...]]


SERVICES = {
    "ordering": Service(
        "ordering.tables",
        ("ordering.privacy.store:_ERASE",),
        {
            "buyers": "email_key name email phone language company mailbox_key proved_email proved_by",
            "confirmations": "payload contact_hash",
            "session_records": "ip user_agent referrer network",
            "submissions": "body_hash",
        },
        {
            "confirmations": ("purpose: a word", "code_hash: of digits", "asked_by: shop or page"),
            "contact_changes": ("fields: names of fields", "identification: a word and a file number"),
            "erasures": ("kept: our own sentences",),
            "holds": ("rules: names of rules", "decision: a word"),
            "order_facts": ("fact: a word", "ref: an id", "detail: amounts, words and ids"),
            "order_statuses": ("status: a word",),
            "privacy_requests": ("identification: a word and a file number",),
            "submissions": ("submission_id: the shop's key; kept, so that a repetition places nothing",),
            "updates": ("type: a word", "ref: an id", "body: ids, words, amounts and times of an order"),
            "webhook_deliveries": ("last_answer: the shop's, about an update without buyer", "last_error: a sentence"),
        },
    ),
    "payments": Service(
        "payments.tables",
        ("payments.privacy.store:ERASURE",),
        {"contacts": "name email phone language"},
        {
            "attempts": ("secret_hash: random",),
            "hand_payments": ("reference: the bank's, of a payout; accounting law",),
            "housekeeping": ("name: of a job",),
            "ledger": ("key: an id", "debit: an account of ours", "credit: an account of ours"),
            "notifications": ("code: a word of the bank",),
            "receipts": (
                "number: our own",
                "title: of the plan",
                "cashbox: the shop's",
                "check_number: of the receipt",
                "registration_number: of the cash register",
                "fiscal_time: a time",
                "ticket_url: of the receipt, which tax law keeps",
            ),
            "reconciliation_differences": ("ours: an amount or a word", "banks: an amount or a word"),
            "refunds": ("external_id: our own id",),
            "register_turns": ("cashbox: the shop's",),
        },
    ),
    "provisioning": Service(
        "provisioning.tables",
        ("provisioning.lifecycle.privacy:_STATEMENTS", "provisioning.lifecycle.store:_SAVE"),
        {"observations": "report", "lives": "known"},
        {
            "airalo_notices": ("request_id: the operator's", "reference: an ICCID"),
            "airalo_requests": ("reference: our own id", "request_id: the operator's", "refund_id: the operator's"),
            "lives": (
                "revoked_for: a word",
                "expired_for: a word",
                "thresholds: per cents",
                "announced_for: a word",
            ),
            "observations": ("detail: what was not understood of an answer, by name",),
            "profile_orders": ("matching_id: of the eSIM",),
            "profiles": ("matching_id: of the eSIM", "smdp_address: the operator's"),
            "revocations": ("outcome: a word", "detail: the operator's code"),
            "stock_profiles": (
                "matching_id: of the eSIM",
                "smdp_address: the operator's",
                "confirmation_code: of the eSIM",
                "oid: the operator's",
                "apn: the operator's",
            ),
        },
    ),
    "notifications": Service(
        "notifications.tables",
        ("notifications.privacy.store:ERASE",),
        {
            "contacts": "name email language phone company mailbox_key",
            "mailbox_days": "mailbox",
            "mails": "facts",
            "orders": "paid receipt",
        },
        {
            "mails": ("enhanced_code: a mail server's code (RFC 3463)",),
            "shop_resends": ("idempotency_key: the shop's or an agent's",),
        },
    ),
    "refunds": Service(
        "refunds.tables",
        ("refunds.privacy.store:ERASE",),
        {
            "contacts": "email_hash phone_hash",
            "notes": "text who",
            "site_answers": "chat_key answer_key sealed",
            "site_cases": "chat_key",
            "site_chats": "chat_key sealed",
            "support_answers": "who text",
            "support_mail_files": "digest name content",
            "support_mails": "proof sender_hash content handled_by",
            "telegram_cases": "chat_key",
            "telegram_chats": "chat_key sealed",
            "whatsapp_cases": "chat_key",
            "whatsapp_chats": "chat_key sealed",
        },
        {
            "answer_templates": ("language: a word", "name: of a text", "text: for any buyer", "changed_by: staff"),
            "audit": ("who: an account, a shop or a channel", "detail: words and ids; what people wrote is in notes"),
            "case_handling": ("assignee: an account", "read_by: an account"),
            "cases": (
                "ground: a word",
                "explanation: sentences of the policy",
                "provided: names of fields",
                "missing: names of fields",
                "asked_for: names of fields",
                "deadlines: times",
                "due_kind: a word",
                "alarmed: words",
                "finding: a word",
                "found_by: an account",
                "legal_rule: a law, as an agent names it",
                "appeal_of: an account",
                "possible: verdicts and sentences of the policy",
                "profile_finding: a word",
                "approval: amounts and times",
                "person_why: a word",
                "closed_as: a word",
                "shop_request: a hash of the shop's request",
            ),
            "claims": ("reference: the letter's number", "answered_by: an account"),
            "deadline_alerts": ("kind: a word",),
            "decisions": ("facts: times, words and numbers", "answer: verdict and sentences of the policy"),
            "observations": ("install_source: a system", "usage_source: a system"),
            "order_facts": (
                "failure_statuses: an operator's codes",
                "delivery_channel: a word",
                "revocation_refusal: a word",
                "expiry: a word",
            ),
            "refund_actions": (
                "requested_by: an account",
                "reference: the bank's, of a payout; accounting law",
                "decision_refusal: a word",
            ),
            "refund_outcomes": ("last_failure: a word",),
            "representation_acts": ("who: an account", "outcome: a word"),
            "representations": (
                "identification: words, dates and a file number",
                "recorded_by: an account",
                "ended_by: an account",
            ),
            "site_guesses": ("number_key: a hash of an order number, for a day",),
        },
    ),
    "operations": Service(
        "operations.tables",
        ("operations.facts.handlers:_DELETE_HASH",),
        {"buyers": "email_hash"},
        {
            "answers": ("checks: of a service", "summary: counts", "operators: counts", "problem: a sentence"),
            "audit": ("who: an account", "subject: an id", "outcome: words and counts"),
            "facts": ("subject: an id", "summary: words, amounts and ids of plain facts"),
            "orders": ("iccid_least: of the eSIM", "iccid_greatest: of the eSIM"),
            "refunds": ("code: the bank's",),
            "turns": ("name: of a job",),
            "violations": ("subject: an id", "detail: words, amounts and ids"),
        },
    ),
}
#: The tables that every service has: what in them is of a buyer is sealed, or goes with the buyer's key.
CORE = {
    "dead_letters": "key detail headers payload decision",
    "inbox_by_arrival": "",
    "outbox": "key value headers",
    "work": "key payload last_error",
}


def _with_text(metadata: MetaData) -> dict[str, set[str]]:
    """By table: the columns that can hold text, whose names do not say already what they hold."""
    return {
        table.name: {
            column.name
            for column in table.columns
            if not isinstance(column.type, _WITHOUT_TEXT) and column.name not in EVERYWHERE
        }
        for table in metadata.tables.values()
        if table.name not in STAFF
    }


def _statements(place: str) -> str:
    module, _, name = place.partition(":")
    statements = getattr(import_module(module), name)
    return "\n".join((statements,) if isinstance(statements, str) else statements)


@pytest.mark.parametrize("name", SERVICES)
def test_every_column_that_can_hold_text_is_personal_or_has_a_reason(name: str) -> None:
    service = SERVICES[name]
    personal = {table: set(columns.split()) for table, columns in service.personal.items()}
    other = {table: {text.partition(": ")[0] for text in texts} for table, texts in service.other.items()}
    both = {table: personal.get(table, set()) & columns for table, columns in other.items()}
    assert not any(both.values()), both
    listed = {table: personal.get(table, set()) | other.get(table, set()) for table in {*personal, *other}}
    existing = _with_text(import_module(service.tables).metadata)
    missing = {table: columns - listed.get(table, set()) for table, columns in existing.items()}
    assert {table: columns for table, columns in missing.items() if columns} == {}, "decide: personal, or why not"
    gone = {table: columns - existing.get(table, set()) - EVERYWHERE for table, columns in listed.items()}
    assert {table: columns for table, columns in gone.items() if columns} == {}, "there is no such column"


def test_the_tables_that_every_service_has_are_listed_too() -> None:
    existing = _with_text(core)
    assert {table: columns for table, columns in existing.items() if columns} == {
        table: set(columns.split()) for table, columns in CORE.items() if columns
    }


@pytest.mark.parametrize("name", SERVICES)
def test_an_erasure_reaches_every_personal_column(name: str) -> None:
    service = SERVICES[name]
    erasure = "\n".join(_statements(place) for place in service.erases)
    tables = import_module(service.tables).metadata.tables
    for table, columns in service.personal.items():
        parents = {key.column.table.name for key in tables[table].foreign_keys if key.ondelete == "CASCADE"}
        if any(f"DELETE FROM {name} " in erasure or f"DELETE FROM {name}\n" in erasure for name in {table, *parents}):
            continue
        own = rf"(?:UPDATE|INSERT INTO) {table}\b(?:(?!(?<!DO )UPDATE |DELETE |INSERT ).)*"
        cleared = "\n".join(re.findall(own, erasure, re.DOTALL))
        assert [column for column in columns.split() if f"{column} = " not in cleared] == [], table
