"""CloudEvents 1.0, Kafka protocol binding, binary mode: attributes are headers, the body is the fact.

Reading accepts any header (null, not UTF-8, repeated); a missing or unknown attribute is a typed refusal.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from shared.contracts.base import Event
from shared.contracts.storefront import OrderSubmitted, ShopUpdate, contract, shop_of
from shared.database import Outgoing
from shared.ids import read_uuid, uuid_for
from shared.values import traceparent

Headers = list[tuple[str, bytes]]
CONTENT_TYPE = "application/json"
_MAX_DETAILS = 5
#: A time outside these years is no real clock's and is not used (adding a time zone to it can already fail).
_EARLIEST, _LATEST = 2000, 2200
TYPE = re.compile(r"[a-z]{1,20}\.[a-z-]{1,40}\.v[0-9]{1,3}")


class UnreadableError(Exception):
    """A record that is no fact of a known contract. `reason` is a stable word, `detail` says what is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Envelope:
    """The CloudEvents attributes of a fact. (source, id) identifies it. Not frozen: one is made for each record.

    `outside`: the writer is not one of our services, so its id selects no partition (see inbox.py).
    """

    id: UUID
    source: str
    outside: bool
    type: str
    time: datetime
    trace: str | None


def header_texts(outgoing: Outgoing, now: datetime) -> dict[str, str]:
    """The headers of an outgoing event."""
    return {name: value.decode() for name, value in headers_of(outgoing, now.isoformat())[0]}


def headers_of(outgoing: Outgoing, now: str) -> tuple[Headers, str]:
    """The headers of an outgoing event, in Kafka's form and as JSON for the outbox. `now`: ISO 8601."""
    event = outgoing.event
    number, time = str(outgoing.id), event.occurred_at.isoformat() if isinstance(event, ShopUpdate) else now
    same, as_json = _same_headers(event.owner(), event.ce_type(), event.schema_id())
    headers = [*same, ("ce_id", number.encode()), ("ce_time", time.encode())]
    as_json = f'{as_json}, "ce_id": "{number}", "ce_time": "{time}"'
    if outgoing.trace:  # parsed, so it needs no quoting
        headers.append(("traceparent", outgoing.trace.encode()))
        as_json = f'{as_json}, "traceparent": "{outgoing.trace}"'
    return headers, f"{{{as_json}}}"


@lru_cache(maxsize=1024)
def _same_headers(owner: str, kind: str, schema: str) -> tuple[Headers, str]:
    """The headers that all events of one type have, in Kafka's form and as the members of a JSON object."""
    texts = {
        "ce_specversion": "1.0",
        "ce_source": f"/services/{owner}",
        "ce_type": kind,
        "ce_dataschema": schema,
        "content-type": CONTENT_TYPE,
    }
    return to_wire(texts), json.dumps(texts)[1:-1]


def to_wire(texts: dict[str, str]) -> Headers:
    """Header texts in Kafka's form."""
    return [(name, value.encode()) for name, value in texts.items()]


def read_headers(headers: Iterable[tuple[Any, Any]] | None) -> dict[str, str]:
    """Headers as text; null becomes empty, bytes that are not UTF-8 are replaced, the first of a name counts."""
    pairs = tuple(headers or ())
    try:
        texts = {name: value.decode() for name, value in reversed(pairs)}
        "".join(texts)
    except (AttributeError, TypeError, UnicodeDecodeError):
        return _read_leniently(pairs)
    return texts


def _read_leniently(headers: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        key = name if isinstance(name, str) else bytes(name or b"").decode("utf-8", "replace")
        if key not in texts:
            texts[key] = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
    return texts


def read_envelope(texts: dict[str, str], topic: str, fallback_time: datetime | int | None) -> Envelope:
    """The CloudEvents attributes of a record. `fallback_time`: a moment, or the broker's (see `broker_time`).

    Raises UnreadableError.
    """
    if texts.get("ce_specversion") != "1.0":
        raise UnreadableError("not_a_cloudevent", "header ce_specversion must be 1.0")
    identity, kind = texts.get("ce_id", ""), texts.get("ce_type", "")
    if not identity or not kind:
        raise UnreadableError("not_a_cloudevent", "headers ce_id and ce_type must not be empty")
    number, source, outside = _identity(identity, texts.get("ce_source", ""), topic)
    time = _time(texts.get("ce_time"))
    if time is None:
        time = fallback_time if isinstance(fallback_time, datetime) else broker_time(fallback_time)
    return Envelope(number, source, outside, kind, time, traceparent.parse(texts.get("traceparent")))


def read_body(topic: str, kind: str, body: bytes) -> Event:
    """The fact itself. Raises UnreadableError with field-level reasons, without values."""
    event_class = contract(topic)
    if event_class is None:
        raise UnreadableError("unknown_topic", f"no contract for topic {topic!r}")
    if kind != event_class.ce_type():
        # A sender may write anything into a header: text that does not look like a type is not repeated.
        shown = repr(kind) if TYPE.fullmatch(kind) else "is not one of ours"
        raise UnreadableError("unknown_version", f"type {shown}, expected {event_class.ce_type()!r}")
    try:
        return event_class.model_validate_json(body)
    except ValidationError as error:
        raise UnreadableError("invalid_body", describe(error)) from None


def describe(error: ValidationError) -> str:
    """Fields and reasons of a validation error, without the values."""
    faults: Sequence[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    reasons = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['type']}" for item in faults[:_MAX_DETAILS]]
    more = len(faults) - len(reasons)
    return "; ".join(reasons) + (f"; and {more} more" if more > 0 else "")


def _identity(identity: str, source: str, topic: str) -> tuple[UUID, str, bool]:
    """Id, source and whether it comes from outside. Raises UnreadableError where the source is not the topic's owner.

    A shop's ids are unique together with its topic and the source that it names.
    """
    owner, outside = _writer(topic)
    if outside:
        return uuid_for(topic, source, identity), owner, True
    # Without a source it is the owner's: the brokers allow only the owner to write its topics.
    if source not in ("", owner):
        raise UnreadableError("wrong_source", f"header ce_source must be {owner!r} on this topic")
    try:
        return read_uuid(identity), owner, False
    except ValueError:
        # CloudEvents allows any string as id; (source, id) is unique.
        return uuid_for(topic, owner, identity), owner, False


@lru_cache(maxsize=4096)
def _writer(topic: str) -> tuple[str, bool]:
    """The source of this topic's records, and whether it is outside: a shop."""
    if topic == OrderSubmitted.topic or shop_of(topic) is not None:
        return f"/storefronts/{shop_of(topic) or ''}", True
    return f"/services/{topic.partition('.')[0]}", False


def _time(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment if _EARLIEST < moment.year < _LATEST else None


def broker_time(milliseconds: int | None) -> datetime:
    """A record's own timestamp; the Unix epoch where there is none, or where it is outside the range of datetime."""
    try:
        return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
