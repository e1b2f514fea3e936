"""The statements that export and erase a buyer's data (PP 6.2).

The id stays in `contacts`, so that a late contact event stores no data again. Of emails their kind and times stay; of
orders their numbers and times. Events that are read again later restore ids and amounts, never contact data.
"""

KEPT = (
    "which mails there were about an order, when, and what mail servers answered (codes): proof of delivery, PO 3.4",
)
#: The tasks that send emails.
_SENDING = "('deliver_qr', 'mail', 'mail_refund', 'mail_reminder', 'send_code')"
#: Erases buyers: each statement is run with `:buyers`.
ERASE = (
    """
    INSERT INTO contacts (buyer_id, erased_at) SELECT unnest(CAST(:buyers AS uuid[])), now()
    ON CONFLICT (buyer_id) DO UPDATE
    SET name = NULL, email = NULL, phone = NULL, language = NULL, company = NULL, storefront = NULL, newsletter = false,
        newsletter_asked = false, newsletter_at = NULL, mailbox_key = NULL, proved_contact_at = NULL,
        blocked = false, updated_at = NULL, erased_at = COALESCE(contacts.erased_at, EXCLUDED.erased_at)
    """,
    # Tasks of due emails. One that a worker is performing ends by itself: the mail server may have the email already,
    # and that the code was delivered is a fact. Whatever is tried again finds no contact and is dropped.
    f"""
    DELETE FROM work WHERE kind IN {_SENDING}
      AND payload->>'buyer_id' = ANY(CAST(:buyers AS uuid[])::text[]) AND owner IS NULL
    """,
    """
    DELETE FROM work WHERE kind = 'watch_plan'
      AND key IN (SELECT order_id::text FROM orders WHERE buyer_id = ANY(CAST(:buyers AS uuid[])))
    """,
    "UPDATE mails SET facts = '{}', trace = NULL WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
    f"""
    UPDATE mails m SET state = 'dropped', settled_at = now()
    WHERE m.buyer_id = ANY(CAST(:buyers AS uuid[])) AND m.state IN ('waiting', 'due', 'blocked') AND NOT EXISTS (
      SELECT 1 FROM work w WHERE w.kind IN {_SENDING}
        AND w.key IN (m.subject_id::text, m.kind || ':' || m.subject_id) AND w.owner IS NOT NULL)
    """,
    """
    UPDATE orders SET paid = NULL, receipt = NULL, trace = NULL, answered_at = COALESCE(answered_at, now()),
      used_bytes = NULL, total_bytes = NULL, usage_at = NULL, plan_ends_at = NULL
    WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))
    """,
    """
    UPDATE newsletter_recipients SET state = 'skipped', day = NULL, settled_at = now()
    WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND state = 'planned'
    """,
    "DELETE FROM mailbox_days WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
    "DELETE FROM reminders_off WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
    "DELETE FROM newsletter_suppressions WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
)
#: Columns of `contacts`, and tables, that came after release 1.0. Erased rows have no shop; `contacts_mailbox` finds
#: them.
ERASE_LEFT = """
WITH erased AS (
  UPDATE contacts SET mailbox_key = NULL, company = NULL, newsletter_asked = false, newsletter_at = NULL,
    proved_contact_at = NULL
  WHERE storefront IS NULL AND mailbox_key IS NOT NULL AND erased_at IS NOT NULL RETURNING buyer_id),
days AS (DELETE FROM mailbox_days USING erased WHERE mailbox_days.buyer_id = erased.buyer_id),
reminders AS (DELETE FROM reminders_off USING erased WHERE reminders_off.buyer_id = erased.buyer_id)
SELECT count(*) FROM erased
"""
#: Exports a buyer: the answer of `GET /privacy/buyers/{buyer_id}`. Activation codes are left out, because a code is the
#: eSIM itself; the buyer sees it on the order's page.
EXPORT = {
    "contact": """
SELECT name, email, phone, language, company, storefront, newsletter, newsletter_asked, newsletter_at, blocked,
  updated_at, proved_contact_at IS NOT NULL AS link_used
FROM contacts
WHERE buyer_id = :buyer AND erased_at IS NULL
""",
    "orders": """
SELECT order_id, order_number, storefront, paid_at, paid->'plan' AS plan, paid->'paid' AS paid,
  receipt->>'ticket_url' AS receipt, generated_at, valid_until, failed_at, topped_up_at, refunded_at, revoked_at,
  expired_at, installed_at, activated_at, plan_ends_at, used_bytes, total_bytes, usage_at, channel, delivered_at,
  shown_at, resends, resent_at
FROM orders WHERE buyer_id = :buyer ORDER BY order_number, order_id
""",
    "mails": """
SELECT kind, order_id, facts - 'activation_code' - 'confirmation_code' - 'code' AS about, state, channel, smtp_code,
  enhanced_code, created_at, settled_at, soft_bounces, bounced_at
FROM mails WHERE buyer_id = :buyer ORDER BY created_at, kind, subject_id
""",
    "newsletters": """
SELECT newsletter_id, day, state, settled_at FROM newsletter_recipients WHERE buyer_id = :buyer ORDER BY day
""",
    "reminded_on": "SELECT day, kind FROM mailbox_days WHERE buyer_id = :buyer ORDER BY day",
    "no_reminders_since": "SELECT since FROM reminders_off WHERE buyer_id = :buyer",
    "no_newsletters_since": "SELECT reason, since FROM newsletter_suppressions WHERE buyer_id = :buyer",
}
