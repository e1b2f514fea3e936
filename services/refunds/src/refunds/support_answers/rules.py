"""Templates of answers: which placeholders a text may have, and what they stand for. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

#: What a template may contain in braces, with the explanation for who writes it.
PLACEHOLDERS: Mapping[str, str] = {
    "order_number": "the number of the order",
    "deadline": "the last day of the next deadline",
    "paid": "what was paid for the order",
    "refund": "what goes back to the buyer; only where that is decided",
}
_BRACED = re.compile(r"\{([^{}]*)\}")


class TemplateError(ValueError):
    """The template cannot be stored, or not be filled in here; the message says why."""


def check(text: str) -> None:
    """Raises TemplateError for an unknown placeholder, or a brace that belongs to none."""
    unknown = sorted({name for name in _BRACED.findall(text) if name not in PLACEHOLDERS})
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    if unknown:
        braced = ", ".join(f"{{{name}}}" for name in unknown)
        raise TemplateError(f"There is no placeholder {braced}. There are: {known}.")
    if "{" in _BRACED.sub("", text) or "}" in _BRACED.sub("", text):
        raise TemplateError(f"A brace belongs to no placeholder. There are: {known}.")


def fill(text: str, values: Mapping[str, str | None]) -> str:
    """The text with its placeholders filled in. Raises TemplateError where a value is not known."""
    missing = sorted({name for name in _BRACED.findall(text) if values.get(name) is None})
    if missing:
        words = " and ".join(PLACEHOLDERS.get(name, name) for name in missing)
        raise TemplateError(f"This template does not fit here: {words} is not known.")
    return _BRACED.sub(lambda found: values[found[1]] or "", text)


def money(minor: int | None, currency: str | None) -> str | None:
    """`59.90 USD`; None where it is not known."""
    return None if minor is None or currency is None else f"{minor / 100:.2f} {currency}"


def day(moment: datetime | None, zone: ZoneInfo, language: str) -> str | None:
    """The day of a deadline where the seller is; 24:00 still belongs to it."""
    if moment is None:
        return None
    there = moment.astimezone(zone)
    last = there - timedelta(days=1) if there.time() == time.min else there
    return f"{last:%-d %b %Y}" if language == "en" else f"{last:%d.%m.%Y}"
