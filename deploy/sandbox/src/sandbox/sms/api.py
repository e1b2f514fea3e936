"""The gateway's interface, below /sms: one call, which is safe to repeat under the same id."""

import hmac
import re
from typing import Any

from sandbox.exchange import Call, Reply, play
from sandbox.faults import FaultBook, Rule
from sandbox.front import Route
from sandbox.settings import Settings
from sandbox.sms.ledger import SmsLedger, TextMessage

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_SENDER = re.compile(r"[A-Za-z0-9 ]{1,11}")
_LONGEST_ID = 100
_LONGEST_TEXT = 1000


class SmsGateway:
    """Takes messages for any phone in the world."""

    def __init__(self, settings: Settings, ledger: SmsLedger, faults: FaultBook) -> None:
        self._key = settings.sms_key
        self._faults = faults
        self.ledger = ledger

    def routes(self) -> list[Route]:
        """The gateway's path."""
        return [Route.of("POST", "/sms/messages", self.send)]

    async def send(self, call: Call) -> Reply:
        """`{"to", "from", "text", "id"}` in; 202 accepted, 200 accepted before, 409 another message has this id."""
        body = call.json()
        fields = {"to": (body or {}).get("to"), "from": (body or {}).get("from"), "id": (body or {}).get("id")}
        return await play(self._faults, "sms.send", fields, lambda: self._take(call, body), _refused)

    def _take(self, call: Call, body: dict[str, Any] | None) -> Reply:
        offered = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(offered.encode(), self._key.encode()):
            return _error(401, "unknown-key")
        if body is None or not all(isinstance(body.get(name), str) for name in ("to", "from", "text", "id")):
            return _error(400, "malformed")
        if (wrong := _wrong(body)) is not None:
            return _error(422, wrong)
        message = TextMessage(id=body["id"], to=body["to"], sender=body["from"], text=body["text"])
        fresh = self.ledger.accept(message)
        if fresh is None:
            return _error(409, "id-reused")
        return Reply.of(202 if fresh else 200, {"id": message.id, "state": "accepted"})


def _wrong(body: dict[str, Any]) -> str | None:
    if not _PHONE.fullmatch(body["to"]):
        return "invalid-number"
    if not _SENDER.fullmatch(body["from"]):
        return "invalid-sender"
    if not body["text"].strip() or len(body["text"]) > _LONGEST_TEXT:
        return "invalid-text"
    return None if body["id"] and len(body["id"]) <= _LONGEST_ID else "invalid-id"


def _error(status: int, code: str) -> Reply:
    return Reply.of(status, {"code": code})


def _refused(rule: Rule) -> Reply:
    return _error(rule.status or 422, rule.message or "unreachable-number")
