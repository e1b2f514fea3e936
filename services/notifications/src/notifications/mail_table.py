"""Which fact becomes which email, by which clause; and which fact has none, and why.

`python -m notifications.mail_table` prints the document, which `make schemas` writes to docs/mails.md.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from notifications.delivery.rules import EVEN_IF_BLOCKED
from notifications.emails import texts


@dataclass(frozen=True, slots=True)
class Mails:
    """The kinds of email about a fact, and the clauses that ask for them (docs/policies.md)."""

    kinds: tuple[str, ...]
    clauses: str


#: Emails that no fact of the log asks for.
WITHOUT_FACT: Mapping[str, str] = {
    "resend": "the buyer or the shop asks for the code again, or the address was corrected (PP 6.1)",
    "link": "somebody asks for the link to an order's page; it goes to the order's mailbox only",
}
_PROOF = "a proof between services; ordering shows the progress of an erasure (PP 6.2)"
_ACTION = "an agent's action between refunds and payments; its outcome is an email"
#: Every fact, by its topic: its emails, or why it has none.
FACTS: Mapping[str, Mails | str] = {
    "storefront.order-submitted": "a shop's order, before ordering has accepted it",
    "ordering.order-rejected": "answered to the shop, whose buyer is still on its page",
    "ordering.order-placed": "the buyer is paying at this moment; `order`, `qr` or `lapsed` follows",
    "ordering.order-held": Mails(("held",), "PP 4.5"),
    "ordering.order-released": Mails(("released",), "PP 4.5"),
    "ordering.order-refused": Mails(("declined",), "PP 4.5"),
    "ordering.buyer-contact": "releases emails that waited for an address; a corrected one gets `resend` (PP 6.1)",
    "ordering.confirmation-requested": Mails(("code",), "PP 6.1, PP 6.2"),
    "ordering.buyer-erasure-requested": "asked for on a page that shows the progress; no address is kept to write to",
    "ordering.api-key": "is about a shop's key",
    "ordering.webhook-endpoint-disabled": "is about a shop's endpoint: its support address gets a notice",
    "payments.order-paid": Mails(("order", "delay"), "PO 3.3"),
    "payments.payment-failed": "the bank's page says it at once, and another attempt may follow; else: `lapsed`",
    "payments.payment-lapsed": Mails(("lapsed",), "PO 4.2"),
    "payments.duplicate-charged": "the surplus goes back by a case of the system: `refund`, `settled` (RF 2.4)",
    "payments.receipt-issued": Mails(("receipt",), "PO 4.3"),
    "payments.refund-settled": Mails(("settled",), "RP 3, RC 3, RF 5.3"),
    "payments.refund-failed": Mails(("refused",), "RP 3, RF 5.2"),
    "payments.refund-retried": "shown on the order's page; the outcome is an email",
    "payments.refund-paid-by-hand": Mails(("paid_by_hand",), "RF 5.2"),
    "payments.refund-action-answered": _ACTION,
    "provisioning.profile-generated": Mails(("qr",), "PO 3.4"),
    "provisioning.profile-failed": "refunds decides what follows, and that is an email (RP 2)",
    "provisioning.profile-observed": "a report of the operator, shown on the order's page",
    "provisioning.profile-revoked": "the refund or cancellation that asked for it is an email",
    "provisioning.revocation-refused": "the case is decided again, and that is an email",
    "provisioning.profile-expired": Mails(("expired",), "RC 7"),
    "provisioning.profile-expiring": Mails(("expiring", "ending"), "RC 7"),
    "provisioning.data-low": Mails(("data_low",), ""),
    "provisioning.top-up-applied": Mails(("topup",), "RC 4"),
    "notifications.qr-delivered": "says that an email arrived",
    "notifications.delivery-failed": "the mailbox takes no email; the order's page and the shop say so",
    "notifications.mailbox-proved": "the buyer pressed a button on the order's page",
    "refunds.refund-requested": "most requests are decided at once; one that waits is `registered`",
    "refunds.request-registered": Mails(("registered",), "RF 5.1, RC 2"),
    "refunds.information-needed": Mails(("information",), "RF 4.3"),
    "refunds.refund-approved": Mails(("refund",), "RC 3, RP 3"),
    "refunds.refund-denied": Mails(("denied",), "RF 6"),
    "refunds.revocation-requested": "the refund is approved; its email follows the operator's confirmation (I13)",
    "refunds.cancellation-accepted": Mails(("cancelled",), "RC 5, RC 6"),
    "refunds.appeal-received": Mails(("appeal",), "RF 6"),
    "refunds.claim-received": Mails(("claim",), "PO 7.3, PP 7.3"),
    "refunds.claim-answered": Mails(("claim_answered",), "PO 7.3, PP 7.3"),
    "refunds.deadline-near": "is for a shop's agents: the address of its `[alerts]` gets a notice",
    "refunds.support-answered": Mails(("answer",), "RF 4.3, PO 7.3, PP 7.3"),
    "refunds.refund-retry-requested": _ACTION,
    "refunds.hand-payment-recorded": _ACTION,
    "refunds.hand-payment-decided": _ACTION,
    "payments.buyer-erased": _PROOF,
    "provisioning.buyer-erased": _PROOF,
    "notifications.buyer-erased": _PROOF,
    "refunds.buyer-erased": _PROOF,
}


def document() -> str:
    """The document, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Which fact becomes which email"
    yield ""
    yield "Written by `make schemas` from `services/notifications/src/notifications/mail_table.py`. Each email exists"
    yield "in English, Russian, Kazakh and Georgian, and is sent once for a fact. *Blocked*: sent although the buyer's"
    yield "data is blocked (PP 6.2). The clauses are those of [policies](policies.md)."
    yield ""
    yield "| fact | email | its subject | clause | blocked |"
    yield "|---|---|---|---|---|"
    for topic, mails in FACTS.items():
        if not isinstance(mails, Mails):
            continue
        for kind in mails.kinds:
            sent = "sent" if kind in EVEN_IF_BLOCKED else ""
            yield f"| `{topic}` | `{kind}` | {texts('en')[kind]['subject']} | {mails.clauses} | {sent} |"
    yield ""
    yield "## Emails that no fact asks for"
    yield ""
    yield from (f"- `{kind}`: {why}." for kind, why in WITHOUT_FACT.items())
    yield ""
    yield "## Facts without an email"
    yield ""
    yield "| fact | why |"
    yield "|---|---|"
    yield from (f"| `{topic}` | {why} |" for topic, why in FACTS.items() if isinstance(why, str))


if __name__ == "__main__":
    sys.stdout.write(document())
