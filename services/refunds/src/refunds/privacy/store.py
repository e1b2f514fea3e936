"""What refunds stores about a buyer, and how it is erased (PP 6.2).

Erased are keyed hashes of e-mail and phone, notes about cases, e-mails with their files, what agents wrote to
the buyer, chats, and the names and evidence of representatives, who act upon nothing afterwards. Orders, cases,
decisions, representations and the audit trail hold ids only; they are kept for accounting and for claims.
"""

from refunds.channels import ERASE_CHATS
from refunds.representatives import ERASE_REPRESENTATIONS
from refunds.support_answers import ERASE_ANSWERS
from refunds.support_mail import ERASE_MAILS

KEPT = ("orders, cases and decisions without personal data: accounting and claims",)
#: Run with `:buyers`. The id stays in `contacts`, so that a late contact is not stored again.
ERASE = (
    ERASE_MAILS,
    """
    INSERT INTO contacts (buyer_id, erased_at) SELECT unnest(CAST(:buyers AS uuid[])), now()
    ON CONFLICT (buyer_id) DO UPDATE
    SET email_hash = NULL, phone_hash = NULL, updated_at = NULL,
        erased_at = COALESCE(contacts.erased_at, EXCLUDED.erased_at)
    """,
    "DELETE FROM notes WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
    ERASE_ANSWERS,
    ERASE_REPRESENTATIONS,
    *ERASE_CHATS,
)
#: What `GET /privacy/buyers/{buyer_id}` returns, by name.
EXPORT = {
    "orders": """
SELECT order_id, order_number, storefront, kind, paid_at, paid_minor, currency, delivered_at FROM order_facts
WHERE buyer_id = :buyer ORDER BY paid_at, order_id
""",
    "cases": """
SELECT c.case_id, c.order_id, c.ground, c.channel, c.requested_at, c.verdict, c.policy, c.amount_minor, c.currency
FROM cases c JOIN order_facts f USING (order_id) WHERE f.buyer_id = :buyer ORDER BY c.requested_at, c.case_id
""",
    "refund_actions": """
SELECT a.case_id, a.kind, a.requested_at, a.amount_minor, a.currency, a.way, a.reference, a.ended_at
FROM refund_actions a JOIN order_facts f USING (order_id) WHERE f.buyer_id = :buyer
ORDER BY a.requested_at, a.action_id
""",
    "notes": "SELECT case_id, at, kind, text FROM notes WHERE buyer_id = :buyer ORDER BY at, note_id",
    "answers": """
SELECT case_id, claim_id, at, text FROM support_answers WHERE buyer_id = :buyer ORDER BY at, answer_id
""",
    "claims": """
SELECT order_id, reference, channel, received_at, answer_by, answered_at FROM claims WHERE buyer_id = :buyer
ORDER BY received_at, claim_id
""",
    "representations": """
SELECT order_id, identification, recorded_at, confirmed, decided_at, ended_at FROM representations
WHERE buyer_id = :buyer ORDER BY recorded_at, representation_id
""",
    "representation_acts": """
SELECT a.at, a.what, a.outcome FROM representation_acts a JOIN representations r USING (representation_id)
WHERE r.buyer_id = :buyer ORDER BY a.at, a.act_id
""",
    "mails": """
SELECT mail_id, order_id, case_id, claim_id, received_at, state FROM support_mails WHERE buyer_id = :buyer
ORDER BY received_at, mail_id
""",
}
