"""The introduction, tags and examples of the published interface documents."""

from shared.interfaces.description import AGENT, STOREFRONT, Caller, Example, Interface, Tag

_MAIL = Caller(
    "mail-system", {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <BOUNCE_KEY>`"}
)

INTERFACE = Interface(
    description=(
        "Sends the activation code to the buyer by email and on the order's page, and informs the buyer about the "
        "order and the money.\n\n"
        "The buyers' pages (`/account/...`, `/unsubscribe/...`) are reached by signed links in emails and are not "
        "listed here."
    ),
    tags=(
        Tag("delivery", "The code of an order, sent to its buyer again.", (STOREFRONT,)),
        Tag("mail history", "Which emails an order has had, with refusals and bounces.", (AGENT,)),
        Tag("newsletters", "To buyers of the calling shop who agreed; one a day at most.", (STOREFRONT, AGENT)),
        Tag("mail", "Delivery status notifications (RFC 3464) from the mail system.", (_MAIL,)),
    ),
    examples={
        "POST /orders/{reference}/resend": Example(
            answer={
                "resend_id": "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11",
                "order_id": "01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b12",
                "order_number": "10000017",
                "state": "accepted",
                "requested_at": "2026-11-21T09:30:00Z",
            },
            status=202,
        ),
        "POST /newsletters": Example(
            body={
                "storefront": "esimka",
                "letters": {"en": {"subject": "A new plan for Turkey", "text": "From **today** on: 5 GB for 30 days."}},
            }
        ),
    },
)
