"""Pages out of templates, with the headers that keep others' scripts, frames and caches away."""

import re
from datetime import datetime, time, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from refunds.domain.calendar import Calendar

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_UTC = ZoneInfo("UTC")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


def local(moment: datetime | None, zone: ZoneInfo = _UTC) -> str:
    """`20 Nov 2026, 16:00`, where the seller is."""
    return "—" if moment is None else f"{moment.astimezone(zone):%-d %b %Y, %H:%M}"


def until(moment: datetime, zone: ZoneInfo = _UTC) -> str:
    """A deadline, as `local`; 24:00 of a day still belongs to it: `end of 7 Dec 2026`."""
    there = moment.astimezone(zone)
    if there.time() == time.min:
        return f"end of {there - timedelta(days=1):%-d %b %Y}"
    return local(moment, zone)


def distance(moment: datetime, now: datetime) -> str:
    """`in 3 h`, `2 days ago`."""
    seconds = abs((moment - now).total_seconds())
    if seconds >= 2 * _DAY:
        length = f"{seconds // _DAY:.0f} days"
    elif seconds >= 2 * _HOUR:
        length = f"{seconds // _HOUR:.0f} h"
    else:
        length = f"{max(1, seconds // _MINUTE):.0f} min"
    return f"in {length}" if moment > now else f"{length} ago"


def urgency(moment: datetime | None, now: datetime, calendar: Calendar) -> str:
    """`overdue`, `soon` (24 h), `near` (2 business days), or nothing."""
    if moment is None:
        return ""
    if moment <= now:
        return "overdue"
    if moment <= now + timedelta(hours=24):
        return "soon"
    return "near" if moment <= calendar.after_business_days(now, 2) else ""


def words(name: str) -> str:
    """`await_support` as `await support`."""
    return name.partition(":")[0].replace("_", " ")


def person(who: str) -> str:
    """`agent:anna` as `anna`, `storefront:esimka` as `esimka (shop)`."""
    kind, _, name = who.partition(":")
    return {"agent": name, "storefront": f"{name} (shop)"}.get(kind, who)


def shown(value: object, zone: ZoneInfo = _UTC) -> str:
    """A detail of the audit trail: moments where the seller is, lists with commas, names without underscores."""
    if isinstance(value, list):
        return ", ".join(shown(item, zone) for item in value)
    if not isinstance(value, str):
        return "yes" if value is True else str(value)
    if _MOMENT.match(value):
        return until(datetime.fromisoformat(value), zone)
    return value if " " in value or "-" in value else value.replace("_", " ")


_PAGES = Environment(
    loader=PackageLoader("refunds.pages", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters |= {"local": local, "person": person, "shown": shown, "until": until, "words": words}
_PAGES.globals |= {"distance": distance, "urgency": urgency}


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. `values` are the template's; it names all that it needs."""
    return HTMLResponse(_PAGES.get_template(f"{template}.html.j2").render(**values), status, headers=_HEADERS)


def redirect(url: str) -> RedirectResponse:
    """After a form was accepted: look at the result (303)."""
    return RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})


def static(name: str, media_type: str) -> Response:
    """A file that stands beside this one."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return Response(text, media_type=media_type, headers={"Cache-Control": "max-age=300"})
