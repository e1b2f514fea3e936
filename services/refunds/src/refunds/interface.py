"""What the OpenAPI document of refunds contains beyond its code: chapters, callers, examples."""

from shared.interfaces.description import AGENT, STOREFRONT, Example, Interface, Tag, signed

_TELEGRAM = signed("telegram", "X-Telegram-Bot-Api-Secret-Token", "the bot's own secret, as given to `setWebhook`")
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
}

INTERFACE = Interface(
    description=(
        "Decides whether money goes back, by the policy in force when the order was paid, naming its clauses.\n\n"
        "Storefronts ask what a buyer may expect (`refund-eligibility`), open cases for buyers, and pass on appeals "
        "and claims. Agents record findings. The agents' own pages (`/agents`) are for people and not listed."
    ),
    tags=(
        Tag("eligibility", "What a buyer may expect before asking.", (STOREFRONT, AGENT)),
        Tag("requests", "Asking for money back, and cancelling.", (STOREFRONT, AGENT)),
        Tag("cases", "Cases with facts and decision; agents' findings.", (AGENT,)),
        Tag(
            "refused refunds", "Refunds that the bank refused: retried, or paid by hand with a second person.", (AGENT,)
        ),
        Tag("appeals", "A second look by another agent (RF 6).", (STOREFRONT, AGENT)),
        Tag("claims", "Written claims and their deadlines (PO 7.3, PP 7.3).", (AGENT,)),
        Tag("policies", "The policies as tables: what is decided by."),
        Tag("telegram", "Where Telegram brings what buyers write to a storefront's bot.", (_TELEGRAM,)),
    ),
    callers={"POST /claims": (STOREFRONT, AGENT)},
    examples={
        "POST /orders/{order}/refund-requests": Example(
            body={
                "reason": "technical_failure",
                "channel": "form",
                "full_name": "Ann Example",
                "evidence": ["No service"],
            }
        ),
        "GET /orders/{order}/refund-eligibility": Example(answer=_ELIGIBILITY),
    },
)
