"""The operations pages as a site, and how templates write times, durations, people and outcomes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.audit import KIND
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
    if seconds < 10:  # noqa: PLR2004 - below, a tenth matters
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
    length = lasting(float(round(abs(seconds)))).replace(".0 s", " s")
    return f"{length} ago" if seconds > 0 else f"in {length}"


def person(who: str) -> str:
    """`staff:anna` as `anna`."""
    return who.partition(":")[2] or who


def money(amount: Any) -> str:
    """`{"amount": 599000, "currency": "KZT"}` as `5990.00 KZT`."""
    return f"{amount['amount'] / 100:.2f} {amount['currency']}"


def plain(value: Any) -> str:
    """A value of a fact: money with its currency, times in UTC, lists with commas."""
    if isinstance(value, dict):
        if set(value) == {"amount", "currency"}:
            return money(value)
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return utc(value) if isinstance(value, str) and _MOMENT.match(value) else str(value)


def details(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for people: `paid_minor` with `currency` is written as money."""
    currency = summary.get("currency")
    lines = []
    for name, value in summary.items():
        if currency is not None and name.endswith("_minor") and isinstance(value, int):
            lines.append(
                (name.removesuffix("_minor").replace("_", " "), money({"amount": value, "currency": currency}))
            )
        elif name != "currency":
            lines.append((name.replace("_", " "), plain(value)))
    return lines


def outcome(entry: dict[str, Any] | None) -> str:
    """An outcome of the audit log in a few words."""
    if entry is None:
        return "unknown"
    if "refused" in entry:
        further = f"; further ones {entry['further']}" if "further" in entry else ""
        return f"refused by {entry['means']}: {entry['refused']}{further}"
    if "means" in entry:
        return f"by {entry['means']}"
    if "services" not in entry:
        return ", ".join(f"{name} {value}" for name, value in entry.items())
    taken = sum(len(service.get("taken", ())) for service in entry["services"])
    refused = sum(len(service.get("refused", ())) for service in entry["services"])
    unanswered = [service["service"] for service in entry["services"] if "problem" in service]
    parts = [f"{taken} done"]
    if refused:
        parts.append(f"{refused} refused")
    if unanswered:
        parts.append(f"no answer of {', '.join(unanswered)}")
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
        kind=KIND,
        people="Operations people",
        no_role="You are known, but nobody has given you a role here yet. Ask whoever keeps the accounts.",
    ),
    filters={"details": details, "lasting": lasting, "outcome": outcome, "person": person, "plain": plain, "utc": utc},
    functions={"age": age},
)
page = PAGES.page
