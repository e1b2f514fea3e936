"""The operations page as a site, and how its templates write moments, lengths of time, people and outcomes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.signin.rendering import Pages
from shared.signin.site import Site

BASE = "/console"
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S*[+Z]")
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


def utc(moment: datetime | str | None) -> str:
    """`2026-11-20 16:00:05`, in UTC."""
    if moment is None:
        return "—"
    return f"{_moment(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def lasting(span: timedelta | float | None) -> str:
    """`320 ms`, `4.2 s`, `35 s`, `12 min`, `5 h`, `3 days`."""
    if span is None:
        return "—"
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:  # noqa: PLR2004 - below, a tenth says something
        return f"{seconds:.1f} s"
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"


def age(moment: datetime | str | None, now: datetime) -> str:
    """`12 min ago`, `in 5 h`, `just now`."""
    if moment is None:
        return ""
    seconds = (now - _moment(moment)).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    said = lasting(float(round(abs(seconds))))
    said = said.replace(".0 s", " s")
    return f"{said} ago" if seconds > 0 else f"in {said}"


def person(who: str) -> str:
    """`staff:anna` as `anna`."""
    return who.partition(":")[2] or who


def money(amount: Any) -> str:
    """`{"amount": 599000, "currency": "KZT"}` as `5990.00 KZT`."""
    return f"{amount['amount'] / 100:.2f} {amount['currency']}"


def plain(value: Any) -> str:
    """A detail of a fact: money as money, moments in UTC, lists with commas."""
    if isinstance(value, dict):
        if set(value) == {"amount", "currency"}:
            return money(value)
        return ", ".join(f"{name} {plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return utc(value) if isinstance(value, str) and _MOMENT.match(value) else str(value)


def details(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values as they are read: `paid_minor` with `currency` is money."""
    currency = told.get("currency")
    found = []
    for name, value in told.items():
        if currency is not None and name.endswith("_minor") and isinstance(value, int):
            found.append(
                (name.removesuffix("_minor").replace("_", " "), money({"amount": value, "currency": currency}))
            )
        elif name != "currency":
            found.append((name.replace("_", " "), plain(value)))
    return found


def outcome(told: dict[str, Any] | None) -> str:
    """An outcome of the audit trail in a few words."""
    if told is None:
        return "unknown"
    if "refused" in told:
        further = f"; further ones {told['further']}" if "further" in told else ""
        return f"refused by {told['means']}: {told['refused']}{further}"
    if "means" in told:
        return f"by {told['means']}"
    if "services" not in told:
        return ", ".join(f"{name} {value}" for name, value in told.items())
    taken = sum(len(one.get("taken", ())) for one in told["services"])
    refused = sum(len(one.get("refused", ())) for one in told["services"])
    silent = [one["service"] for one in told["services"] if "problem" in one]
    parts = [f"{taken} done"]
    if refused:
        parts.append(f"{refused} refused")
    if silent:
        parts.append(f"no answer of {', '.join(silent)}")
    return ", ".join(parts)


def _moment(moment: datetime | str) -> datetime:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


PAGES = Pages(
    "operations.pages",
    Site(
        name="operations",
        title="Operations",
        base=BASE,
        home=BASE,
        kind="staff",
        people="Operations people",
        no_role="You are known, but nobody has given you a role here yet. Ask whoever keeps the accounts.",
    ),
    filters={"details": details, "lasting": lasting, "outcome": outcome, "person": person, "plain": plain, "utc": utc},
    functions={"age": age},
)
page = PAGES.page
