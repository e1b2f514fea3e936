"""The status of an order and its timeline, from its row, its emails and the texts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from notifications.account.models import EmailRecord, OrderStatus, TimelineEntry, Tone
from notifications.emails import LocaleFormat, texts, traffic, web_address
from shared.contracts import Money

#: The order will change by itself: the page follows it live.
_IN_PROGRESS: frozenset[OrderStatus] = frozenset(
    {"working", "topping_up", "late", "failed", "refunding", "refund_refused"}
)
#: Emails that report a decision or a refund, by kind: the event's field with its time, and the tone of the line.
_ANSWERS: Mapping[str, tuple[str, Tone]] = {
    "information": ("asked_at", "wait"),
    "registered": ("received_at", "wait"),
    "cancelled": ("accepted_at", "wait"),
    "denied": ("denied_at", "bad"),
    "appeal": ("received_at", "wait"),
    "claim": ("received_at", "wait"),
    "claim_answered": ("answered_at", "done"),
    "refund": ("approved_at", "done"),
    "settled": ("settled_at", "done"),
    "refused": ("failed_at", "bad"),
    "retried": ("retried_at", "wait"),
    "paid_by_hand": ("paid_at", "done"),
}
#: Kinds whose sentence in the timeline has another name than the kind.
_SENTENCES: Mapping[str, str] = {"refused": "refund_refused"}
_NOT_DELIVERED = frozenset({"refused", "bounced"})


def status(order: Mapping[str, Any], emails: Sequence[EmailRecord]) -> OrderStatus:
    """How an order stands; the first condition that holds decides. `order` is a row of `orders`."""
    refunding = any(email.kind == "refund" and _is_whole(email, order) for email in emails)
    top_up = order["paid"] is not None and order["paid"]["kind"] == "top_up"
    conditions: Sequence[tuple[bool, OrderStatus]] = (
        (order["refunded_at"] is not None and _by_hand(emails), "refunded_by_hand"),
        (order["refunded_at"] is not None, "refunded"),
        (_refused(emails), "refund_refused"),
        (refunding, "refunding"),
        (order["revoked_at"] is not None, "revoked"),
        (order["expired_at"] is not None, "expired"),
        (order["topped_up_at"] is not None, "topped_up"),
        (order["installed_at"] is not None or order["activated_at"] is not None, "installed"),
        (order["generated_at"] is not None, "ready"),
        (order["failed_at"] is not None, "failed"),
        (any(email.kind == "delay" and email.state != "dropped" for email in emails), "late"),
    )
    return next((name for holds, name in conditions if holds), "topping_up" if top_up else "working")


def _is_whole(email: EmailRecord, order: Mapping[str, Any]) -> bool:
    """Whether a refund leaves nothing of the payment. A surplus capture (RF 2.4), or a part, leaves the order as it is.

    An event of an earlier release does not say what is left: then the amounts decide.
    """
    if email.facts.get("charge_id") is not None:
        return False
    remaining, amount, paid = email.facts.get("remaining_payment"), email.facts.get("amount"), order["paid"]
    if remaining is not None:
        return bool(remaining["amount"] <= 0)
    return amount is None or paid is None or bool(amount["amount"] >= paid["paid"]["amount"])


def _by_hand(emails: Sequence[EmailRecord]) -> bool:
    return any(
        email.kind == "settled" and email.facts.get("charge_id") is None and email.facts.get("way") is not None
        for email in emails
    )


def _refused(emails: Sequence[EmailRecord]) -> bool:
    """Whether the bank refused the last attempt of a refund that is not settled since.

    Attempts count from 1; events come in any order.
    """
    settled = {str(email.facts.get("refund_id")) for email in emails if email.kind == "settled"}
    refused: dict[str, int] = {}
    retried: dict[str, int] = {}
    for email in emails:
        attempts = {"refused": refused, "retried": retried}.get(email.kind)
        if attempts is None or not email.facts or email.facts.get("charge_id") is not None:
            continue
        refund_id = str(email.facts.get("refund_id"))
        attempts[refund_id] = max(attempts.get(refund_id, 0), email.facts.get("attempt") or 1)
    return any(
        attempt >= retried.get(refund_id, 0) for refund_id, attempt in refused.items() if refund_id not in settled
    )


def is_in_progress(order: Mapping[str, Any], emails: Sequence[EmailRecord]) -> bool:
    """Whether the order will change by itself."""
    current = status(order, emails)
    return current in _IN_PROGRESS or (
        current == "ready" and any(email.state in {"waiting", "due"} for email in emails)
    )


def code_came_back(emails: Sequence[EmailRecord]) -> bool:
    """Whether the last email with a code was refused by the mailbox, or bounced."""
    codes = [email for email in emails if email.kind in {"qr", "resend"} and email.state != "dropped"]
    return bool(codes) and max(codes, key=lambda email: email.created_at).state in _NOT_DELIVERED


def timeline(order: Mapping[str, Any], emails: Sequence[EmailRecord], locale: LocaleFormat) -> list[TimelineEntry]:
    """All that has happened, oldest first."""
    return sorted((*_of_order(order, locale), *_of_emails(emails, locale)), key=lambda entry: entry.at)


def _of_order(order: Mapping[str, Any], locale: LocaleFormat) -> Iterator[TimelineEntry]:
    t = texts(locale.language)["timeline"]
    if order["paid"] is not None:
        amount = locale.money(Money.model_validate(order["paid"]["paid"]))
        yield TimelineEntry(
            order["paid_at"], t["paid"].format(amount=amount, plan=order["paid"]["plan"]["title"]), "done"
        )
    if order["receipt"] is not None:
        receipt = order["receipt"]
        link = web_address(str(receipt["ticket_url"]))
        yield TimelineEntry(datetime.fromisoformat(receipt["issued_at"]), t["receipt"], "done", link)
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
            yield TimelineEntry(order[column], t[column.removesuffix("_at")], tone)  # type: ignore[arg-type] # a Tone


def _of_emails(emails: Sequence[EmailRecord], locale: LocaleFormat) -> Iterator[TimelineEntry]:
    t = texts(locale.language)["timeline"]
    for email in emails:
        if email.kind in {"qr", "resend"}:
            yield from _of_code(email, t)
        elif email.kind == "delay" and email.state == "sent" and email.settled_at is not None:
            yield TimelineEntry(email.settled_at, t["delay"], "wait")
        elif email.kind == "receipt" and email.facts["kind"] == "sale_return":
            yield TimelineEntry(datetime.fromisoformat(email.facts["issued_at"]), t["receipt_return"], "done")
        elif email.kind in _ANSWERS:
            field, tone = _ANSWERS[email.kind]
            amount = email.facts.get("amount")
            name = _SENTENCES.get(email.kind, email.kind)
            if email.kind == "settled" and email.facts.get("way") is not None:
                name = "settled_by_hand"
            text = t[name].format(amount=locale.money(Money.model_validate(amount)) if amount else "")
            yield TimelineEntry(datetime.fromisoformat(email.facts[field]), text, tone)


def _of_code(email: EmailRecord, t: Mapping[str, str]) -> Iterator[TimelineEntry]:
    if email.settled_at is not None and email.state in {"sent", "bounced"}:
        yield TimelineEntry(email.settled_at, t["mailed" if email.kind == "qr" else "mailed_again"], "done")
    if email.state in _NOT_DELIVERED:
        code = " ".join(str(part) for part in (email.smtp_code, email.enhanced_code) if part)
        at = email.bounced_at or email.settled_at or email.created_at
        yield TimelineEntry(at, t["refused"].format(code=code), "bad")


def usage(order: Mapping[str, Any], locale: LocaleFormat) -> dict[str, Any] | None:
    """Data used: as text, and as a share if the plan's data is stored. None if no usage is stored."""
    used, total = order["used_bytes"], order["total_bytes"]
    if used is None:
        return None
    return {
        "used": traffic(used, locale.language),
        "total": traffic(total, locale.language) if total else None,
        "percent": min(100, round(100 * used / total)) if total else None,
        "as_of": locale.minute(order["usage_at"]) if order["usage_at"] else None,
    }


def masked(address: str) -> str:
    """An address that its owner recognises and that discloses little: `a•••@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"
