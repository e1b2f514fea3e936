"""Texts and examples of the HTTP documentation that are not in the code of the endpoints."""

from shared.interfaces.description import AGENT, STOREFRONT, Example, Interface, Tag

INTERFACE = Interface(
    description=(
        "Takes the money of an order through Halyk Epay, and refunds it. It never receives card data.\n\n"
        "A storefront asks for the payment object of an order and gives it to the bank's `halyk.pay()` in the buyer's "
        "browser. A webhook of the bank makes this service ask the bank for the status; only the answer makes an order "
        "paid, which is published as `payments.order-paid`."
    ),
    tags=(
        Tag("payment", "Open the bank's payment page.", (STOREFRONT,)),
        Tag("webhook", "Where the bank notifies: `secret_hash` in the body is the attempt's own."),
        Tag("agents", "The ledger of an order, refunds and receipts that wait for a person, reconciliation.", (AGENT,)),
    ),
    examples={
        "POST /orders/{order_id}/payment": Example(
            body={"back_link": "https://shop.example/thanks", "failure_back_link": "https://shop.example/again"},
            answer={
                "invoiceId": "100000417",
                "amount": 14.9,
                "currency": "USD",
                "accountId": "019aa5b0-2f10-7c44-9d5e-0c6b1f9a7e21",
                "description": "Turkey 5 GB, order 100000417",
                "data": '{"order": "100000417"}',
                "name": "Ann Example",
                "phone": "+995555000111",
                "email": "ann@example.org",
                "terminal": "67e34d63-102f-4bd1-898e-370781d0074d",
                "language": "eng",
                "backLink": "https://shop.example/thanks",
                "failureBackLink": "https://shop.example/again",
                "postLink": "https://payments.example/epay/webhook",
                "failurePostLink": "https://payments.example/epay/webhook",
                "auth": {"access_token": "minted for this invoice", "token_type": "Bearer", "expires_in": "1200"},
            },
        )
    },
)
