"""The agents' pages as a site, and the filters with which templates write moments, people and details."""

import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse

from refunds.agent_pages.dependencies import ACTING
from refunds.cases.rules.deadlines import windows
from refunds.policy import Calendar
from shared.signin.rendering import Pages, local
from shared.signin.sessions import Session
from shared.signin.site import Site

_UTC = ZoneInfo("UTC")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")


def until(moment: datetime, zone: ZoneInfo = _UTC) -> str:
    """A deadline, as `local`; 24:00 of a day still belongs to it: `end of 7 Dec 2026`."""
    there = moment.astimezone(zone)
    if there.time() == time.min:
        return f"end of {there - timedelta(days=1):%-d %b %Y}"
    return local(moment, zone)


def urgency(moment: datetime | None, now: datetime, calendar: Calendar) -> str:
    """`overdue`, `soon` (24 h), `near` (2 business days), or nothing."""
    if moment is None:
        return ""
    nearest = next(iter(windows(moment, now, calendar)), "")
    return {"24h": "soon", "2_business_days": "near"}.get(nearest, nearest)


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


PAGES = Pages(
    "refunds.agent_pages",
    Site(
        name="refunds",
        title="Refunds",
        base="/agents",
        home="/agents/queue",
        kind="agent",
        people="Agents",
        no_role="You are known, but nobody has made you an agent of refunds yet. Ask your supervisor.",
    ),
    filters={"person": person, "shown": shown, "until": until},
    functions={"urgency": urgency},
)


def page(template: str, status: int = 200, *, session: Session, **values: Any) -> HTMLResponse:
    """Render a page for somebody who is signed in; forms that change something are for agents and supervisors."""
    return PAGES.page(template, status, session=session, acts=session.role in ACTING, **values)
