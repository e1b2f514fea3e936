"""Turns rows into response bodies. Text that a sender chose, and that may hold personal data, becomes a fingerprint.

Once a dead letter is decided, only what is shown of it is kept.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.messaging.cloudevents import TYPE
from shared.operations.answers import DeadLetter, DeadLetterInFull, WorkRow
from shared.telemetry.tracing import trace_id

_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
#: What a header of a sealed record must look like to be shown. A storefront may put anything into its headers.
_HARMLESS = {
    "ce_specversion": re.compile(r"[0-9.]{1,8}"),
    "ce_id": re.compile(_UUID),
    "ce_source": re.compile(r"/(services|storefronts)(/[a-z-]{1,40})?"),
    "ce_type": TYPE,
    "ce_dataschema": re.compile(r"urn:esim:event:[a-z]{1,20}\.[a-z-]{1,40}:[0-9.]{1,8}"),
    "ce_time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}(Z|[+-][0-9]{2}:[0-9]{2})"),
    "content-type": re.compile(r"application/json"),
    "traceparent": re.compile(r"[0-9a-f-]{55}"),
}
_FINGERPRINT = re.compile(r"#[0-9a-f]{12}")
#: In dead letters of the first releases the detail of this reason repeats a header.
_REPEATS_A_HEADER = "unknown_version"
#: Responses are serialised by a library that supports some 250 levels, and are read by people.
_DEEPEST = 50


@dataclass(slots=True, frozen=True)
class Shown:
    """What may be shown of a dead letter's record."""

    key: str | None
    headers: dict[str, str]
    detail: str


def shown(row: Any) -> Shown:
    """Key, headers and detail of a dead letter; of a sealed one, fingerprints of what its sender chose freely.

    A decided dead letter holds the fingerprints themselves: they are shown as they are.
    """
    headers: dict[str, str] = row.headers
    if not row.sealed:
        return Shown(row.key, headers, row.detail)
    decided = row.state != "waiting"
    harmless = {name: _harmless(name, value, decided=decided) for name, value in headers.items()}
    repeats = row.reason == _REPEATS_A_HEADER and harmless.get("ce_type") != headers.get("ce_type")
    detail = "a type that this release does not know" if repeats else row.detail
    return Shown(_key(row.key, decided=decided), harmless, detail)


def dead_letter(row: Any, service: str) -> DeadLetter:
    """A dead letter without its payload."""
    return DeadLetter(**_dead_letter(row, service))


def dead_letter_in_full(row: Any, service: str) -> DeadLetterInFull:
    """A dead letter with its payload, where that is not sealed."""
    return DeadLetterInFull(**_dead_letter(row, service), payload=None if row.sealed else _payload(row.payload))


def work_row(row: Any, service: str) -> WorkRow:
    """A task."""
    return WorkRow(
        id=row.id,
        service=service,
        kind=row.kind,
        key=row.key,
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
        last_error=row.last_error,
        held=row.held,
        trace=trace_id(row.trace),
    )


def fingerprint(text: str) -> str:
    """Twelve hex digits of a text's hash: enough to distinguish two texts, too little to restore one."""
    return f"#{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _dead_letter(row: Any, service: str) -> dict[str, Any]:
    public = shown(row)
    return {
        "id": row.id,
        "service": service,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.record_offset,
        "key": public.key,
        "reason": row.reason,
        "detail": public.detail,
        "headers": public.headers,
        "sealed": bool(row.sealed),
        "received_at": row.received_at,
        "state": row.state,
        "decided_at": row.decided_at,
        "decided_by": row.decided_by,
        "decision": row.decision,
        "redrives": row.redrives,
        "trace": trace_id(row.headers.get("traceparent")),
    }


def _harmless(name: str, value: str, *, decided: bool) -> str:
    pattern = _HARMLESS.get(name)
    harmless = pattern is not None and pattern.fullmatch(value)
    return value if harmless or (decided and _FINGERPRINT.fullmatch(value)) else fingerprint(value)


def _key(key: str | None, *, decided: bool) -> str | None:
    """Ids are shown; text that a storefront chose (`shop:anything`) is not."""
    if key is None or (decided and _FINGERPRINT.fullmatch(key)):
        return key
    try:
        return str(UUID(key))
    except ValueError:
        return fingerprint(key)


def _payload(stored: bytes | None) -> Any:
    """The payload as JSON where an answer can carry it as such, otherwise as text."""
    if stored is None:
        return None
    text = bytes(stored).decode("utf-8", "replace")
    try:
        value = json.loads(text)
        # Lone surrogates, numbers beyond all bounds and deep nesting are read, and cannot be written.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return text
    return value if _depth(value) <= _DEEPEST else text


def _depth(value: Any) -> int:
    levels, level = 0, [value]
    while level:
        levels += 1
        level = [
            inner
            for container in level
            for inner in (
                container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
            )
        ]
    return levels
