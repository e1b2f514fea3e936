"""Decisions about webhooks: what an answer means, when a delivery is retried, when an endpoint is paused or disabled.

Pure. `chance` is between 0 and 1: pauses are spread, so that what failed together is not tried again together.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from ordering.updates.models import RETRIED_FOR
from ordering.webhooks.models import Attempt, DeliveryState, DisabledReason, Due, Endpoint, Health

#: How long an endpoint may fail before it is disabled: as long as one delivery is retried, less an hour. So the last
#: attempt at the only update of a quiet shop counts; the endpoint's first failure is a little later than its update.
DISABLED_AFTER = RETRIED_FOR - timedelta(hours=1)
#: Pauses after the first, second, ... failed attempt; the last one repeats: about 20 attempts in three days.
_PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
)
#: A pause is up to a fifth longer or shorter.
_SPREAD = 0.2
#: So many failures in a row are no accident of one body: the whole endpoint is paused.
_FAILURES_BEFORE_PAUSE = 5
#: The endpoint is paused for as long as it has been failing, between these two: after an outage it hears again when as
#: much time has passed as the outage took. The number of failures says nothing: attempts that are made together fail
#: together, and a busy endpoint makes hundreds in a second. In the end one attempt in five minutes finds out whether it
#: works again, and a receiver that hangs takes 10 s of a performer in five minutes.
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
#: A receiver may ask for more than our pauses, up to this.
_LONGEST_RETRY_AFTER = timedelta(hours=12)
#: Any 2xx is done. A redirect is not followed: the shop changes the endpoint's URL instead.
_DONE, _REDIRECTS = range(200, 300), range(300, 400)
#: Statuses with which Retry-After is about the server and not about one request (RFC 9110 10.2.3, RFC 6585 section 4).
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def first_of_each_order(due: Sequence[Due], most: int) -> list[Due]:
    """At most so many deliveries, one for each order: its oldest update. What concerns no order stands alone."""
    chosen: dict[object, Due] = {}
    for delivery in due:
        place = delivery.order_id or delivery.update_id
        if place in chosen:
            if delivery.update_id < chosen[place].update_id:
                chosen[place] = delivery
        elif len(chosen) < most:
            chosen[place] = delivery
    return list(chosen.values())


def judge(
    due: Due,
    now: datetime,
    chance: float,
    *,
    status: int | None,
    failure: str | None,
    retry_after: str | None,
    latency_ms: int,
    text: str,
) -> Attempt:
    """What one attempt means for its delivery. Any 2xx is done; everything else is tried again until `give_up_at`."""
    if status in _DONE:
        return Attempt(due.update_id, "delivered", now, status, latency_ms, text, None)
    asked = parse_retry_after(retry_after, now)
    pause = _spread(_PAUSES[min(due.attempts, len(_PAUSES) - 1)], chance)
    next_at = min(now + max(pause, asked or timedelta(0)), due.give_up_at)
    state: DeliveryState = "failed" if now >= due.give_up_at else "waiting"
    error = failure or _meaning(status)
    busy = asked.total_seconds() if asked is not None and status in _BUSY else None
    return Attempt(due.update_id, state, next_at, status, latency_ms, text, error, busy)


def health(endpoint: Endpoint, attempts: Sequence[Attempt], now: datetime, chance: float) -> Health:
    """What these attempts, made together, mean for their endpoint. One that succeeded shows that it works."""
    disable: DisabledReason | None = None
    if any(attempt.status == HTTPStatus.GONE for attempt in attempts):
        disable = "gone"
    asked = max((attempt.retry_after or 0.0 for attempt in attempts), default=0.0)
    resting = now + timedelta(seconds=asked) if asked else None
    if any(attempt.state == "delivered" for attempt in attempts):
        return Health(0, None, resting, now, disable)
    failures = endpoint.failures + len(attempts)
    since = endpoint.failing_since or now
    if disable is None and now - since >= DISABLED_AFTER:
        disable = "failing"
    pause = _endpoint_pause(failures, now - since, chance)
    until = max((moment for moment in (resting, now + pause if pause else None) if moment), default=None)
    return Health(failures, since, until, endpoint.succeeded_at, disable)


def parse_retry_after(text: str | None, now: datetime) -> timedelta | None:
    """A Retry-After header, in seconds or as a date (RFC 9110 10.2.3), up to twelve hours; None where it is neither."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        asked = timedelta(seconds=min(int(text[:9]), 10**8))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        asked = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(max(asked, timedelta(0)), _LONGEST_RETRY_AFTER)


def refused_url(url: str, *, plain_allowed: bool) -> str | None:
    """Why this cannot be an endpoint's URL; None where it can. Its host's addresses are checked by the client."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    faults = (
        (parts.scheme != "https" and not (plain_allowed and parts.scheme == "http"), "must begin with https://"),
        (not parts.hostname, "names no host"),
        (parts.username is not None or parts.password is not None, "must not contain a user name or password"),
        (bool(parts.fragment), "must not contain a fragment (#)"),
        (port == 0, "has an impossible port"),
    )
    return next((message for wrong, message in faults if wrong), None)


def _endpoint_pause(failures: int, failing_for: timedelta, chance: float) -> timedelta | None:
    if failures < _FAILURES_BEFORE_PAUSE:
        return None
    return _spread(min(max(failing_for, _FIRST_PAUSE), _LONGEST_PAUSE), chance)


def _spread(pause: timedelta, chance: float) -> timedelta:
    return pause * (1 - _SPREAD + 2 * _SPREAD * chance)


def _meaning(status: int | None) -> str:
    if status in _REDIRECTS:
        return "redirected"
    return "refused" if status is not None else "no-answer"
