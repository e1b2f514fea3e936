"""One HTTP exchange of a stand-in, and how faults strike it. The hot paths use this instead of a framework."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from email.parser import BytesParser
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl

from sandbox.faults import FaultBook, Rule, Target

Cut = Literal["", "silent", "partial"]
#: Of a webhook.
_ATTEMPTS = 5


@dataclass(slots=True)
class Call:
    """A request, read whole."""

    method: str
    path: str
    args: tuple[str, ...]
    query: str
    headers: dict[str, str]
    body: bytes
    #: Whether the caller has hung up.
    gone: Callable[[], bool] = lambda: False

    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is not one."""
        try:
            value = json.loads(self.body)
            if b"\\u" in self.body:
                json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def query_args(self) -> dict[str, str]:
        """The query string's arguments, the last one winning."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        """Form data, url-encoded or multipart: the bank's documentation says only "form data"."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            return _multipart(kind, self.body)
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(slots=True)
class Reply:
    """An answer; `cut` ends the connection without it, or in the middle of it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Cut = ""
    #: The body is sent `repeat` times, with pauses. Where that is more than once there is no Content-Length.
    repeat: int = 1
    pause_seconds: float = 0.0

    @classmethod
    def of(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> "Reply":
        """A JSON answer."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, {"content-type": "application/json", **(headers or {})})


Handler = Callable[[Call], Awaitable[Reply]]
SILENCE = Reply(0, b"", cut="silent")


async def play(
    book: FaultBook,
    target: Target,
    fields: Mapping[str, object],
    perform: Callable[[], Reply],
    refuse: Callable[[Rule], Reply],
) -> Reply:
    """Perform the call, unless and except as the fault book says."""
    rules = book.take(target, fields)
    if not rules:
        return perform()
    for rule in rules:
        if rule.effect == "latency":
            await book.pause(rule.seconds)
    struck = next((rule for rule in rules if rule.effect not in {"latency", "delay"}), None)
    reply = perform() if struck is None else _struck(struck, perform, refuse)
    for rule in rules:
        if rule.effect == "delay":
            await book.pause(rule.seconds)
    return reply


async def deliver(
    book: FaultBook,
    target: Target,
    fields: Mapping[str, object],
    send: Callable[[Rule | None], Awaitable[int | None]],
    retry_seconds: float,
) -> list[int | None]:
    """Send a webhook until it is answered with 200, five times at most, except as the fault book says.

    `send`: sends it once, or the forged one of a rule; its value is the status of the answer. Returns all of them.
    """
    rules = book.take(target, fields)
    await book.pause(sum(rule.seconds for rule in rules if rule.effect in {"latency", "delay"}))
    struck = next((rule for rule in rules if rule.effect not in {"latency", "delay"}), None)
    if struck is not None and struck.effect == "drop":
        return []
    if struck is not None and struck.effect == "forge":
        await send(struck)
    answers: list[int | None] = []
    for _ in range(_ATTEMPTS):
        answers.append(await send(None))
        if answers[-1] == HTTPStatus.OK:
            break
        await asyncio.sleep(retry_seconds)
    again = 0 if struck is None else {"duplicate": struck.count - 1, "lose_reply": 1}.get(struck.effect, 0)
    return [*answers, *[await send(None) for _ in range(again)]]


def _struck(rule: Rule, perform: Callable[[], Reply], refuse: Callable[[Rule], Reply]) -> Reply:
    match rule.effect:
        case "http_error":
            reply = _http_error(rule)
        case "endless":
            body = (rule.message or "x").encode("latin-1", "replace")
            kind = {"content-type": "application/json", **rule.headers}
            reply = Reply(rule.status or 200, body, kind, repeat=rule.repeat, pause_seconds=rule.seconds)
        case "refuse" | "out_of_stock":
            reply = refuse(rule)
        case "drop":
            reply = SILENCE
        case "lose_reply":
            perform()
            reply = SILENCE
        case "partial_body":
            reply = replace(perform(), cut="partial")
        case "duplicate":
            reply = [perform() for _ in range(rule.count)][-1]
        case _:
            reply = _forged(rule, perform())
    return reply


def _http_error(rule: Rule) -> Reply:
    status = rule.status or 503
    if rule.body is None:
        return Reply(status, b"", rule.headers)
    if isinstance(rule.body, str):
        return Reply(status, rule.body.encode(), {"content-type": "text/plain", **rule.headers})
    return Reply.of(status, rule.body, rule.headers)


def _forged(rule: Rule, genuine: Reply) -> Reply:
    try:
        value = json.loads(genuine.body)
    except ValueError:
        return genuine
    return Reply.of(rule.status or genuine.status, overlay(value, rule.fields), genuine.headers)


def overlay(value: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The object with fields written over it; objects inside are merged, everything else replaced."""
    merged = dict(value)
    for name, new in fields.items():
        old = merged.get(name)
        merged[name] = overlay(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
    return merged


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser().parsebytes(head + body)
    fields: dict[str, str] = {}
    for part in message.walk() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields[name] = payload.decode("utf-8", "replace")
    return fields
