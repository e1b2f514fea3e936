"""The data of a buyer in payments, for exports and erasure (PP 6.2).

Erased is the contact for the payment page. Orders, attempts, refunds, postings and receipts contain ids and amounts
only; accounting and tax law require to keep them.
"""

#: Named in PaymentsBuyerErased as what is not deleted.
KEPT = ("orders, attempts, refunds, ledger and fiscal receipts without contact data: accounting and tax law",)
#: Executed with `:buyers` at an erasure.
ERASURE = ("DELETE FROM contacts WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",)
#: The answer to `GET /privacy/buyers/{buyer_id}`, by section; amounts in minor units.
EXPORT = {
    "contact": "SELECT name, email, phone, language, updated_at FROM contacts WHERE buyer_id = :buyer",
    "orders": """
SELECT order_id, order_number, storefront, kind, price_minor, currency, paid_at, captured_minor, refunded_minor
FROM payment_orders WHERE buyer_id = :buyer ORDER BY order_number
""",
    "attempts": """
SELECT a.order_id, a.invoice_id::text AS invoice_id, a.state, a.reason_code, a.opened_at, a.settled_at
FROM attempts a JOIN payment_orders o USING (order_id) WHERE o.buyer_id = :buyer ORDER BY a.invoice_id
""",
    "refunds": """
SELECT order_id, refund_id, amount_minor, currency, state, approved_at, ended_at FROM refunds
WHERE buyer_id = :buyer ORDER BY approved_at
""",
    "payments_by_hand": """
SELECT h.order_id, h.refund_id, h.amount_minor, h.currency, h.way, h.reference, h.state, h.recorded_at
FROM hand_payments h JOIN refunds r USING (refund_id) WHERE r.buyer_id = :buyer ORDER BY h.recorded_at, h.payment_id
""",
    "receipts": """
SELECT order_id, kind, amount_minor, currency, check_number, ticket_url FROM receipts WHERE buyer_id = :buyer
ORDER BY receipt_id
""",
}
