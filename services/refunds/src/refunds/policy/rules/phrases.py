"""A policy's conditions and deadlines in plain English, to be checked against the seller's own text."""

from collections.abc import Iterator, Sequence

from refunds.policy.models.policy import Policy
from shared.shops.policy import Period, Required, When

_UNITS = (("calendar_days", "calendar day"), ("business_days", "business day"), ("hours", "hour"))
_AFTER = {
    "purchase": "the purchase",
    "delivery": "the delivery of the code",
    "request": "the request",
    "documents": "the request and all required documents",
    "decision": "the decision",
}
_USES = {
    "downloaded": "downloaded (its QR code scanned or its code entered) or further on",
    "installed": "installed",
    "activated": "activated",
    "used": "used (more than 0 bytes)",
    "deleted": "deleted from the device",
    "revoked": "revoked",
    "expired": "expired",
    "plan_over": "at the end of its validity when the request came",
    "applied": "applied (a top-up)",
}
_FAILURES = {
    "confirmed": "a technical failure is confirmed, by the platform's own record or by support",
    "not_found": "support found no technical failure",
    "not_claimed": "no technical failure is claimed",
}
_FIXED: dict[str, dict[object, str]] = {
    "kind": {"esim": "the order is for an eSIM", "top_up": "the order is for a top-up"},
    "requested": {
        "in_time": "the request came by the last day to ask, or no time runs: our failure kept it from being delivered",
        "late": "the request came after the last day to ask, and our failure did not keep it from being delivered",
    },
    "never_made": {
        True: "the platform recorded that what was bought could not be made",
        False: "what was bought was made, or may still be made",
    },
    "delivered": {True: "the code was delivered", False: "the code was not delivered"},
    "delivery": {
        "overdue": "the time limit of the offer passed before delivery, or nothing can be made any more",
        "in_time": "the time limit of the offer did not pass before delivery",
    },
    "buyer_caused_delay": {True: "the buyer caused the delay", False: "the buyer did not cause the delay"},
    "charged_twice": {
        True: "the request is about a double charge, and our books show more charges than one",
        False: "our books show one charge, or the request is not about a double charge",
    },
    "payment_error": {
        "confirmed": "the request is about a double charge, and our books or support confirm an error of the payment "
        "system (else it waits for support)"
    },
    "restored": {
        "in_time": "the service was restored within the time for restoration",
        "not_in_time": "the service was not restored within the time for restoration (until its end, it waits)",
    },
    "legal_rule": {True: "an agent names the legal rule that demands it", False: "no legal rule demands it"},
    "fair_use_violated": {True: "support found the fair-use policy violated", False: "fair use was not violated"},
    "traffic": {"zero": "the operator counted 0 bytes, after the request and its last document (else it waits for it)"},
}


def conditions(when: When) -> list[str]:
    """One phrase per condition; all of them must hold. None: always."""
    return list(_conditions(when)) or ["always, when nothing above applies"]


def _conditions(when: When) -> Iterator[str]:
    for name, phrases in _FIXED.items():
        wanted = getattr(when, name)
        if wanted is not None:
            yield phrases[wanted]
    if when.reason is not None:
        yield f"the reason given is {any_of(when.reason)}"
    if when.failure is not None:
        waits = " (else, where it is claimed, it waits for support)" if "confirmed" in when.failure else ""
        yield " or ".join(_FAILURES[one] for one in when.failure) + waits
    if when.days_since_purchase_over is not None:
        yield f"the request came more than {when.days_since_purchase_over} calendar days after the purchase"
    if when.known is not None:
        yield f"what was bought is known to be {' or '.join(_USES[use] for use in when.known)}, at any time"
    if when.not_known is not None:
        yield f"what was bought is not known to be {' or '.join(_USES[use] for use in when.not_known)}"
    if when.unused is not None:
        yield (
            f"what was bought is not {' or '.join(_USES[use] for use in when.unused)}, by a report of the operator "
            "that names that very state and is younger than the request and its last document (else it waits for one)"
        )


def any_of(names: Sequence[str]) -> str:
    """`changed mind, lost code or other`."""
    words = [name.replace("_", " ") for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def period(one: Period) -> str:
    """`14 calendar days after the purchase`."""
    count, unit = next((getattr(one, name), unit) for name, unit in _UNITS if getattr(one, name) is not None)
    exact = ", an exact duration" if unit == "hour" else ", to 24:00 of the last day"
    return f"{count} {unit}{'' if count == 1 else 's'} after {_AFTER[one.after]}{exact}"


def required(item: Required) -> str:
    """`email or phone`, and for which reasons."""
    fields = any_of(item.any_of)
    return fields if item.reason is None else f"{fields}, where the reason is {any_of(item.reason)}"


def in_force(policy: Policy, until: Policy | None) -> str:
    """From when to when this version applies to orders."""
    zone = policy.calendar.zone
    start = policy.effective_from
    begins = "everything paid" if start is None else f"what was paid from {start.astimezone(zone):%d %B %Y %H:%M} on"
    if until is None or until.effective_from is None:
        return f"{begins} ({policy.zone})"
    return f"{begins}, before {until.effective_from.astimezone(zone):%d %B %Y %H:%M} ({policy.zone})"
