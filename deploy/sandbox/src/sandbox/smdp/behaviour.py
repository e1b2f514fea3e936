"""How an operator behaves: what it knows, and how it spells it. Real operators differ in each of these (README.md)."""

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.exchange import overlay
from sandbox.smdp.wire import PROTOCOL

Function = Literal["downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile"]
#: What a feed that knows nothing leaves null.
_FACTS = (
    "eid",
    "installState",
    "installStateAt",
    "usedBytes",
    "usedBytesAt",
    "firstUseAt",
    "totalBytes",
    "validUntil",
)


class Behaviour(BaseModel):
    """The way of one operator; the defaults are an operator that does all as its documents say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: silent: the feed answers, and knows nothing (null). none: there is no feed (404).
    feed: Literal["full", "silent", "none"] = "full"
    #: `observedAt` of the feed is so much older.
    feed_lag_seconds: float = Field(0, ge=0)
    #: The feed tells that an unused profile ends so long after it was reserved.
    unused_days: int | None = Field(None, ge=0)
    #: Written over what the feed answers, what is pushed, what is notified, and what a function answers: to misspell.
    feed_fields: dict[str, Any] = Field(default_factory=dict)
    push_fields: dict[str, Any] = Field(default_factory=dict)
    notification_fields: dict[str, Any] = Field(default_factory=dict)
    answer_fields: dict[Function, dict[str, Any]] = Field(default_factory=dict)
    #: Fields that notifications lack.
    leave_out: list[str] = Field(default_factory=list)
    #: How notifications tell the time, and what they call it.
    timestamps: Literal["iso", "seconds", "milliseconds", "missing"] = "iso"
    timestamp_name: Literal["timestamp", "timeStamp"] = "timestamp"
    #: X-Admin-Protocol of notifications; empty: none.
    protocol: str = PROTOCOL
    #: The word for what was carried out, in answers and notifications: `Executed-WithWarning`, `executed-success`.
    executed: str = "Executed-Success"
    #: Answers tell the matching id in small letters.
    small_letters: bool = False

    def feed_document(self, document: dict[str, Any], reserved_at: str) -> dict[str, Any]:
        """What the feed answers."""
        shown = dict(document)
        if self.feed_lag_seconds:
            seen = datetime.fromisoformat(shown["observedAt"]) - timedelta(seconds=self.feed_lag_seconds)
            shown["observedAt"] = seen.isoformat(timespec="milliseconds")
        if self.unused_days is not None and shown["validUntil"] is None:
            end = datetime.fromisoformat(reserved_at) + timedelta(days=self.unused_days)
            shown["validUntil"] = end.isoformat(timespec="milliseconds")
        if self.feed == "silent":
            shown |= dict.fromkeys(_FACTS)
        return overlay(shown, self.feed_fields)

    def push_document(self, document: dict[str, Any]) -> dict[str, Any]:
        """What is pushed."""
        nothing = dict.fromkeys(name for name in document if name in _FACTS) if self.feed != "full" else {}
        return overlay(document | nothing, self.push_fields)

    def notification(self, document: dict[str, Any]) -> dict[str, Any]:
        """What is notified."""
        shown = dict(document)
        at = datetime.fromisoformat(shown.pop("timestamp"))
        times: dict[str, Any] = {
            "iso": document["timestamp"],
            "seconds": int(at.timestamp()),
            "milliseconds": int(at.timestamp()) * 1000,
        }
        if self.timestamps in times:
            shown[self.timestamp_name] = times[self.timestamps]
        status = shown["notificationPointStatus"]
        if status["status"].startswith("Executed"):
            shown["notificationPointStatus"] = status | {"status": self.executed}
        shown = overlay(shown, self.notification_fields)
        return {name: value for name, value in shown.items() if name not in self.leave_out}

    def answer(self, function: Function, document: dict[str, Any]) -> dict[str, Any]:
        """What a function that was carried out answers."""
        shown = overlay(document, self.answer_fields.get(function, {}))
        if self.small_letters and isinstance(shown.get("matchingId"), str):
            shown["matchingId"] = shown["matchingId"].lower()
        return shown
