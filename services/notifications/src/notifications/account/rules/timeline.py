"""How an order stands, in plain words: a headline, and a timeline made from the same facts as the trace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from notifications.emails import Words, texts, traffic
from shared.contracts import Money

Standing = Literal[
    "working",
    "topping_up",
    "late",
    "ready",
    "installed",
    "topped_up",
    "failed",
    "refunding",
    "refunded",
    "refund_refused",
    "refunded_by_hand",
    "revoked",
    "expired",
]
Tone = Literal["done", "wait", "bad"]
#: Something is about to happen by itself: the page then follows it live.
_MOVING: frozenset[Standing] = frozenset({"working", "topping_up", "late", "failed", "refunding", "refund_refused"})
#: Answers of the refund desk: the fact's own time, by kind of mail.
_ANSWERS: Mapping[str, tuple[str, Tone]] = {
    "information": ("asked_at", "wait"),
    "denied": ("denied_at", "bad"),
    "appeal": ("received_at", "wait"),
    "claim": ("received_at", "wait"),
    "refund": ("approved_at", "done"),
    "settled": ("settled_at", "done"),
    "refused": ("failed_at", "bad"),
    "retried": ("retried_at", "wait"),
    "paid_by_hand": ("paid_at", "done"),
}
#: Kinds whose line has another name than the kind.
_LINES: Mapping[str, str] = {"refused": "refund_refused"}
_RETURNED = frozenset({"refused", "bounced"})


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail about the order, and what became of it."""

    kind: str
    state: str
    facts: Mapping[str, Any]
    created_at: datetime
    settled_at: datetime | None = None
    bounced_at: datetime | None = None
    smtp_code: int | None = None
    enhanced_code: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline; `link` leads to a page outside (a receipt)."""

    at: datetime
    text: str
    tone: Tone
    link: str | None = None


def standing(order: Mapping[str, Any], mails: Sequence[Mailed]) -> Standing:
    """`order`: a row of `orders`."""
    # A surplus capture that goes back (RF 2.4) leaves the order as it is.
    returning = any(mail.kind == "refund" and mail.facts.get("charge_id") is None for mail in mails)
    top_up = order["paid"] is not None and order["paid"]["kind"] == "top_up"
    found: Sequence[tuple[bool, Standing]] = (
        (order["refunded_at"] is not None and _by_hand(mails), "refunded_by_hand"),
        (order["refunded_at"] is not None, "refunded"),
        (_refused(mails), "refund_refused"),
        (returning, "refunding"),
        (order["revoked_at"] is not None, "revoked"),
        (order["expired_at"] is not None, "expired"),
        (order["topped_up_at"] is not None, "topped_up"),
        (order["installed_at"] is not None or order["activated_at"] is not None, "installed"),
        (order["generated_at"] is not None, "ready"),
        (order["failed_at"] is not None, "failed"),
        (any(mail.kind == "delay" and mail.state != "dropped" for mail in mails), "late"),
    )
    return next((name for holds, name in found if holds), "topping_up" if top_up else "working")


def _by_hand(mails: Sequence[Mailed]) -> bool:
    return any(
        mail.kind == "settled" and mail.facts.get("charge_id") is None and mail.facts.get("way") is not None
        for mail in mails
    )


def _refused(mails: Sequence[Mailed]) -> bool:
    """Whether the bank has refused the last attempt of a refund. Attempts count from 1, in whatever order they come."""
    refused: dict[str, int] = {}
    retried: dict[str, int] = {}
    for mail in mails:
        known = {"refused": refused, "retried": retried}.get(mail.kind)
        if known is None or not mail.facts or mail.facts.get("charge_id") is not None:
            continue
        refund_id = str(mail.facts.get("refund_id"))
        known[refund_id] = max(known.get(refund_id, 0), mail.facts.get("attempt") or 1)
    return any(attempt >= retried.get(refund_id, 0) for refund_id, attempt in refused.items())


def is_moving(order: Mapping[str, Any], mails: Sequence[Mailed]) -> bool:
    """Whether something is about to happen by itself."""
    now = standing(order, mails)
    return now in _MOVING or (now == "ready" and any(mail.state in {"waiting", "due"} for mail in mails))


def returned(mails: Sequence[Mailed]) -> bool:
    """Whether the last mail with a code was refused by the mailbox, or came back."""
    codes = [mail for mail in mails if mail.kind in {"qr", "resend"} and mail.state != "dropped"]
    return bool(codes) and max(codes, key=lambda mail: mail.created_at).state in _RETURNED


def timeline(order: Mapping[str, Any], mails: Sequence[Mailed], words: Words) -> list[Line]:
    """All that has happened, oldest first."""
    return sorted((*_of_order(order, words), *_of_mails(mails, words)), key=lambda line: line.at)


def _of_order(order: Mapping[str, Any], words: Words) -> Iterator[Line]:
    t = texts(words.language)["timeline"]
    if order["paid"] is not None:
        amount = words.money(Money.model_validate(order["paid"]["paid"]))
        yield Line(order["paid_at"], t["paid"].format(amount=amount, plan=order["paid"]["plan"]["title"]), "done")
    if order["receipt"] is not None:
        receipt = order["receipt"]
        url = str(receipt["ticket_url"])
        link = url if url.startswith(("https://", "http://")) else None
        yield Line(datetime.fromisoformat(receipt["issued_at"]), t["receipt"], "done", link)
    for column, tone in (
        ("generated_at", "done"),
        ("failed_at", "bad"),
        ("topped_up_at", "done"),
        ("shown_at", "done"),
        ("installed_at", "done"),
        ("activated_at", "done"),
        ("revoked_at", "bad"),
        ("expired_at", "bad"),
    ):
        if order[column] is not None:
            yield Line(order[column], t[column.removesuffix("_at")], tone)  # type: ignore[arg-type] # a Tone


def _of_mails(mails: Sequence[Mailed], words: Words) -> Iterator[Line]:
    t = texts(words.language)["timeline"]
    for mail in mails:
        if mail.kind in {"qr", "resend"}:
            yield from _of_code(mail, t)
        elif mail.kind == "delay" and mail.state == "sent" and mail.settled_at is not None:
            yield Line(mail.settled_at, t["delay"], "wait")
        elif mail.kind == "receipt" and mail.facts["kind"] == "sale_return":
            yield Line(datetime.fromisoformat(mail.facts["issued_at"]), t["receipt_return"], "done")
        elif mail.kind in _ANSWERS:
            field, tone = _ANSWERS[mail.kind]
            amount = mail.facts.get("amount")
            name = _LINES.get(mail.kind, mail.kind)
            if mail.kind == "settled" and mail.facts.get("way") is not None:
                name = "settled_by_hand"
            text = t[name].format(amount=words.money(Money.model_validate(amount)) if amount else "")
            yield Line(datetime.fromisoformat(mail.facts[field]), text, tone)


def _of_code(mail: Mailed, t: Mapping[str, str]) -> Iterator[Line]:
    if mail.settled_at is not None and mail.state in {"sent", "bounced"}:
        yield Line(mail.settled_at, t["mailed" if mail.kind == "qr" else "mailed_again"], "done")
    if mail.state in _RETURNED:
        code = " ".join(str(part) for part in (mail.smtp_code, mail.enhanced_code) if part)
        at = mail.bounced_at or mail.settled_at or mail.created_at
        yield Line(at, t["refused"].format(code=code), "bad")


def usage(order: Mapping[str, Any], words: Words) -> dict[str, Any] | None:
    """Data used, where somebody has said so: in words, and as a share where the whole is known."""
    used, total = order["used_bytes"], order["total_bytes"]
    if used is None:
        return None
    return {
        "used": traffic(used, words.language),
        "total": traffic(total, words.language) if total else None,
        "percent": min(100, round(100 * used / total)) if total else None,
        "as_of": words.minute(order["usage_at"]) if order["usage_at"] else None,
    }


def veiled(email: str) -> str:
    """An address that its owner recognises and nobody else learns: `a•••@example.org`."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain}"
