"""Privacy requests on the account page: reads the pending code, words refusals, renders the proof of an erasure."""

from collections.abc import Mapping
from typing import get_args
from uuid import UUID

from notifications.account.models import ErasureProof, PendingCode, Purpose, RefusalText
from notifications.emails import LocaleFormat, Storefront, environment, texts
from shared.contracts import Language

#: After these refusals the same code may still be entered.
CODE_STILL_VALID: frozenset[RefusalText] = frozenset({"wrong_code", "not_now"})
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
#: By type of the problem document (RFC 9457) that ordering answers.
_REFUSALS: Mapping[str, RefusalText] = {
    "too-many-codes": "too_many",
    "wrong-code": "wrong_code",
    "code-expired": "code_over",
    "already-confirmed": "code_used",
    "unknown-confirmation": "code_over",
}


def refusal_text(problem: str, fields: tuple[str, ...], *, invalid: bool) -> RefusalText:
    """How the page words a refusal. `invalid`: the request's `fields` are wrong (422)."""
    if not invalid:
        return _REFUSALS.get(problem, "not_now")
    if any(field.endswith("email") for field in fields):
        return "wrong_email"
    if any(field.endswith("phone") for field in fields):
        return "wrong_phone"
    return "wrong_code" if any(field.endswith("code") for field in fields) else "nothing_new"


def read_pending(fields: Mapping[str, str]) -> PendingCode | None:
    """The pending code in a query or a form of the page; None if there is none, or it is malformed."""
    purpose, sent_by = fields.get("purpose"), fields.get("by")
    if purpose not in get_args(Purpose) or sent_by not in {"sms", "email"}:
        return None
    try:
        confirmation_id = UUID(fields.get("code_for", ""))
    except ValueError:
        return None
    return PendingCode(confirmation_id, purpose, sent_by)  # type: ignore[arg-type] # just checked


def render_proof(proof: ErasureProof | None, storefront: str, store: Storefront, locale: LocaleFormat) -> str:
    """The page of an erasure. None: ordering does not answer now."""
    template = environment("html").get_template("proof.html.j2")
    return template.render(
        language=locale.language,
        t=texts(locale.language)["rights"],
        storefront=storefront,
        store=store,
        done=proof is not None and proof.done,
        proof=proof,
        minute=locale.minute,
        services=SERVICES,
    )


def render_moved(storefront: str, store: Storefront, order_number: str, language: Language) -> str:
    """The page after a corrected address. It replaces the account page, whose link is no longer valid."""
    sentences = texts(language)
    support = sentences["common"]["support"].format(support=store.support, order_number=order_number)
    template = environment("html").get_template("moved.html.j2")
    return template.render(
        language=language, t=sentences["rights"], storefront=storefront, store=store, support=support
    )
