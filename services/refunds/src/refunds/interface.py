"""What the OpenAPI document of refunds contains beyond its code: chapters, callers, examples."""

from shared.interfaces.description import AGENT, STOREFRONT, Caller, Example, Interface, Tag, signed

_TELEGRAM = signed("telegram", "X-Telegram-Bot-Api-Secret-Token", "the bot's own secret, as given to `setWebhook`")
_WHATSAPP = signed("whatsapp", "X-Hub-Signature-256", "`sha256=` and the HMAC-SHA256 of the body with the app's secret")
_MAIL_PROVIDER = Caller(
    "mail-provider",
    {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key in SUPPORT_MAIL_KEYS>`"},
)
_GROUND = {"document": "RC", "clause": "4", "text": "The eSIM was not installed within 14 days of purchase."}
_ELIGIBILITY = {
    "order_number": "100000417",
    "policy": "e-sim-onl/2026-01",
    "status": "open",
    "as_of": "2026-11-21T10:00:00Z",
    "answers": [
        {
            "reason": "changed_mind",
            "verdict": "approve",
            "grounds": [_GROUND],
            "explanation": {"en": "The full price goes back.", "ru": "Возвращается полная стоимость."},
            "until": "2026-12-05T09:30:41Z",
            "would_change": [],
        }
    ],
    "cases": [],
    "cancellation": "possible",
}
_CASE = {
    "case_id": "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11",
    "ground": "shop_decision:4bf92f35-77b3-8da6-a3ce-929d0e0e4736",
    "reason": "other",
    "origin": "agent",
    "channel": "system",
    "state": "paying",
    "requested_at": "2026-11-24T08:00:00Z",
    "received_at": "2026-11-24T08:00:00Z",
    "due_at": None,
    "due_kind": None,
    "decision": {
        "verdict": "approve",
        "decided_at": "2026-11-24T08:00:00Z",
        "decided_by": "storefront:esimka",
        "refund_id": "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b12",
        "amount": {"amount": 300, "currency": "USD"},
        "policy": "esimka@2026-04-22",
        "grounds": [{"document": "PO", "clause": "6.3", "text": "The seller returns money by its own decision."}],
        "explanation": {
            "en": "The seller has decided to return 3.00 USD of your payment for order 10000017.",
            "ru": "Продавец решил вернуть вам 3.00 USD из оплаты заказа 10000017.",
        },
        "missing": [],
        "deadlines": {"pay_by": "2026-12-08T19:59:59Z"},
        "pay_by": "2026-12-08T19:59:59Z",
        "credited_by": "2026-12-24",
    },
    "person_why": None,
    "person_since": None,
    "possible": None,
    "revocation_asked_at": None,
    "revocation_refused_at": None,
    "appealed_at": None,
    "appeal_answer_by": None,
    "closed_at": None,
    "settled_at": None,
    "refund_failed_at": None,
    "refund_failure": None,
    "shop_amount": {"amount": 300, "currency": "USD"},
}
_CANCELLATION = _CASE | {
    "ground": "cancellation",
    "reason": "changed_mind",
    "origin": "buyer",
    "channel": "form",
    "state": "observing",
    "decision": None,
    "shop_amount": None,
}

INTERFACE = Interface(
    description=(
        "Decides whether money goes back, by the policy in force when the order was paid, naming its clauses.\n\n"
        "Storefronts ask what a buyer may expect (`refund-eligibility`), open cases for buyers, and pass on appeals "
        "and claims. Agents record findings. The agents' own pages (`/agents`) are for people and not listed."
    ),
    tags=(
        Tag("eligibility", "What a buyer may expect before asking.", (STOREFRONT, AGENT)),
        Tag("requests", "Asking for money back, cancelling, evidence, messages.", (STOREFRONT, AGENT)),
        Tag("cases", "Cases with facts and decision; agents' findings.", (AGENT,)),
        Tag(
            "refused refunds", "Refunds that the bank refused: retried, or paid by hand with a second person.", (AGENT,)
        ),
        Tag("appeals", "A second look by another agent (RF 6).", (STOREFRONT, AGENT)),
        Tag("claims", "Written claims and their deadlines (PO 7.3, PP 7.3).", (AGENT,)),
        Tag("policies", "The policies as tables: what is decided by."),
        Tag("conversations", "The chat of a shop's site: what its visitor wrote, and the answers.", (STOREFRONT,)),
        Tag("contact form", "What visitors of a shop's site write; from its pages without a key.", (STOREFRONT, AGENT)),
        Tag("mail", "Where a mail provider hands in what arrives for a storefront.", (_MAIL_PROVIDER,)),
        Tag("telegram", "Where Telegram brings what buyers write to a storefront's bot.", (_TELEGRAM,)),
        Tag("whatsapp", "Where WhatsApp brings what buyers write to a storefront's number.", (_WHATSAPP,)),
    ),
    callers={"POST /claims": (STOREFRONT, AGENT), "GET /whatsapp/{storefront}": ()},
    examples={
        "POST /orders/{order}/refund-requests": Example(
            body={
                "reason": "technical_failure",
                "channel": "form",
                "full_name": "Ann Example",
                "evidence": ["No service"],
            }
        ),
        "POST /orders/{order}/cancellation": Example(
            body={"channel": "form", "circumstances": "Another trip"}, answer=_CANCELLATION, status=201
        ),
        "POST /orders/{order}/messages": Example(
            body={"text": "The operator asks for a number that I do not have.", "channel": "form"}
        ),
        "POST /conversations/{conversation}/messages": Example(
            body={"text": "10000017", "language": "en"},
            answer={
                "answers": [
                    {
                        "number": 2,
                        "text": "Why do you want your money back? Choose, or send the number:",
                        "language": "en",
                        "buttons": [["It does not work", "It never came"]],
                        "at": "2026-11-24T08:00:00Z",
                    }
                ]
            },
            status=201,
        ),
        "POST /orders/{order}/refund": Example(
            body={"amount": {"amount": 300, "currency": "USD"}, "reason": "The data ran slowly on two days."},
            answer=_CASE,
            status=201,
        ),
        "GET /orders/{order}/refund-eligibility": Example(answer=_ELIGIBILITY),
    },
)
