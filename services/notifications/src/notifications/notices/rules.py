"""The text of an email to a shop, as text and HTML. English: its readers are the shop's staff. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from notifications.emails import Rendered, Storefront, environment
from notifications.notices.models import DeadlineNotice, EndpointDisabledNotice

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
    return _rendered(store, subject, paragraphs)


#: By kind of deadline: what is due. Kinds that a later release adds are shown by their name.
_DUE = {
    "decide_by": "the decision on a refund request",
    "restore_by": "the restoration of the service, after which the money goes back",
    "pay_by": "the transfer of a refund",
    "credited_by": "the arrival of a refund at the buyer",
    "appeal": "the answer to an appeal",
    "claim": "the answer to a written claim",
}


def render_alert(store: Storefront, notice: DeadlineNotice) -> Rendered:
    """The email about a deadline that is near. It has numbers and times only, nothing of the buyer."""
    due_at = _moment(notice.due_at, ZoneInfo(store.time_zone))
    what = _DUE.get(notice.kind, notice.kind.replace("_", " "))
    part = "claim" if notice.kind == "claim" else "case"
    paragraphs = [
        f"Due at {due_at}: {what}.",
        f"Order {notice.order_number}, {part} {notice.subject_id}.",
        f"The page about it: {notice.page}" if notice.page else "Look for the order on the agents' pages.",
    ]
    return _rendered(store, f"{store.name}: due {due_at}, order {notice.order_number}", paragraphs)


def _rendered(store: Storefront, subject: str, paragraphs: list[str]) -> Rendered:
    context = {"store": store, "subject": subject, "paragraphs": paragraphs}
    text, html = (environment(form).get_template("notice.j2").render(form=form, **context) for form in ("text", "html"))
    return Rendered(subject, text, html)


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
