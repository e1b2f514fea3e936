"""The text of an email to a shop, as text and HTML. English: its readers maintain the shop's server. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from notifications.emails import Rendered, Storefront, environment
from notifications.notices.models import EndpointDisabledNotice

_REASONS = {
    "gone": "Its server answered 410 (Gone) at {disabled_at}.",
    "failing": "Every attempt has failed since {failing_since}: no answer, or another status than 2xx.",
}


def render_notice(store: Storefront, notice: EndpointDisabledNotice) -> Rendered:
    """The email about an endpoint that was disabled. It names no URL, which may contain a secret."""
    zone = ZoneInfo(store.time_zone)
    moments = {
        "disabled_at": _moment(notice.disabled_at, zone),
        "failing_since": _moment(notice.failing_since or notice.disabled_at, zone),
    }
    name = f"“{notice.description}” ({notice.endpoint_id})" if notice.description else str(notice.endpoint_id)
    again = f'POST /webhook-redeliveries with {{"endpoint_id": "{notice.endpoint_id}", "undelivered_only": true}}'
    subject = f"{store.name}: a webhook endpoint was disabled"
    paragraphs = [
        f"Your webhook endpoint {name} was disabled at {moments['disabled_at']}; no more webhooks are sent to it.",
        _REASONS[notice.reason].format(**moments),
        f"{notice.stopped} deliveries were waiting. Nothing is lost: updates of the last 30 days can be sent again.",
        f"1. Repair the server. POST /webhook-endpoints/{notice.endpoint_id}/test shows what it answers.",
        f'2. Enable the endpoint: PATCH /webhook-endpoints/{notice.endpoint_id} with {{"enabled": true}}.',
        f"3. Have the updates sent again: {again}.",
    ]
    context = {"store": store, "subject": subject, "paragraphs": paragraphs}
    text, html = (environment(form).get_template("notice.j2").render(form=form, **context) for form in ("text", "html"))
    return Rendered(subject, text, html)


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
