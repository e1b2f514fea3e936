"""The buyer's rights on the account page: what is asked for, which code is waited for, and the proof of an erasure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from pydantic import BaseModel

from notifications.emails import Storefront, Words, environment, texts
from shared.contracts import Language

#: What a code confirms; email and phone are corrections.
Purpose = Literal["email", "phone", "export", "block", "unblock", "erase"]
#: Why something was not done, as the page says it (`said_...`).
Refusal = Literal[
    "wrong_email",
    "wrong_phone",
    "nothing_new",
    "too_many",
    "not_now",
    "wrong_code",
    "code_over",
    "code_used",
]
#: What a page says after one of its forms was sent.
Said = Literal["corrected", "blocked", "unblocked", "export"] | Refusal
#: After these the same code may still be entered.
CODE_STILL_GOOD: frozenset[Refusal] = frozenset({"wrong_code", "not_now"})
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")


@dataclass(frozen=True, slots=True)
class Pending:
    """A code was sent (`sent_by`: sms or email) and is to be entered."""

    confirmation_id: UUID
    purpose: Purpose
    sent_by: Literal["sms", "email"]

    @property
    def query(self) -> dict[str, str]:
        """As the page's address carries it; it opens nothing to whoever has no code."""
        return {"code_for": str(self.confirmation_id), "purpose": self.purpose, "by": self.sent_by}


@dataclass(frozen=True, slots=True)
class Rights:
    """The sections on contact and data. `export`: a ticket for the buyer's data, once a code has been entered.

    `blocked`: the data are not used, and may be again.
    """

    pending: Pending | None = None
    export: str | None = None
    blocked: bool = False


def read_pending(fields: Mapping[str, str]) -> Pending | None:
    """From the address or a form of the page; None where there is no such thing in it."""
    purpose, sent_by = fields.get("purpose"), fields.get("by")
    if purpose not in get_args(Purpose) or sent_by not in {"sms", "email"}:
        return None
    try:
        identity = UUID(fields.get("code_for", ""))
    except ValueError:
        return None
    return Pending(identity, purpose, sent_by)  # type: ignore[arg-type] # just checked


class Erased(BaseModel):
    """What one service said of an erasure."""

    erased_at: datetime
    kept: tuple[str, ...] = ()


class Proof(BaseModel):
    """Where a privacy request stands, as ordering answers. state: awaiting_confirmation | running | done."""

    request_id: UUID
    kind: str
    state: str
    requested_at: datetime
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None
    services: dict[str, Erased] = {}


def render_proof(proof: Proof | None, storefront: str, store: Storefront, writes: Words) -> str:
    """The page of an erasure; it names nobody. None: it cannot be said at the moment how far it is."""
    done = proof is not None and proof.state == "done"
    return (
        environment("html")
        .get_template("proof.html.j2")
        .render(
            language=writes.language,
            t=texts(writes.language)["rights"],
            storefront=storefront,
            store=store,
            done=done,
            proof=proof,
            minute=writes.minute,
            services=SERVICES,
            by="sms" if proof is not None and "sms" in (proof.confirmed_by or "") else "email",
        )
    )


def render_moved(storefront: str, store: Storefront, order_number: str, language: Language) -> str:
    """The page after an address was corrected: it cannot be the account page, whose link has just ended."""
    sentences = texts(language)
    support = sentences["common"]["support"].format(support=store.support, order_number=order_number)
    template = environment("html").get_template("moved.html.j2")
    return template.render(
        language=language, t=sentences["rights"], storefront=storefront, store=store, support=support
    )
