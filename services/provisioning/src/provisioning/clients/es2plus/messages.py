"""Parses ES2+ answers, and classifies their codes (SGP.22 v2.5 sections 5.3 and 6.5).

The execution status is required: without one that can be parsed the outcome is unknown. Any other field that cannot be
parsed is None, and the others count.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from provisioning.clients.fields import Fields, Unparsed, iccid, opaque, read_object, text, word
from shared.contracts import OperatorStatus

Function = Literal["downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile"]
Pair = tuple[str, str]

ICCID_TAKEN: Pair = ("8.2.1", "3.3")
ICCID_UNKNOWN: Pair = ("8.2.1", "3.9")
OUT_OF_STOCK: Pair = ("8.2.5", "3.7")
MATCHING_ID_IN_USE: Pair = ("8.2.6", "3.3")
MATCHING_ID_OF_ANOTHER: Pair = ("8.2.6", "3.10")

_HTTP_OK = 200
#: Answers of a gateway that rejected the call before the function: unknown path, not allowed, too many calls.
_HTTP_TURNED_AWAY = range(300, 500)
#: Reason codes by class: for 2 (format error) and 3 (conditions not satisfied) a repetition cannot help; 1 (access),
#: 4 (processing), 5 (transport) and 6 (security) may be repaired before the deadline.
_FINAL_CLASSES = ("2.", "3.")
_CODE = re.compile(r"[0-9]+(\.[0-9]+)*")
_MOST_WORDS, _LONGEST_MESSAGE = 200, 2000
_EXECUTED = {"executedsuccess", "executedwithwarning"}
_FAILED = {"failed", "expired"}


@dataclass(frozen=True, slots=True)
class Executed:
    """The function was carried out. Fields are None where the answer had none that could be used."""

    iccid: str | None
    matching_id: str | None
    smdp_address: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The function was refused."""

    status: OperatorStatus | None

    @property
    def pair(self) -> Pair | None:
        return (self.status.subject_code, self.status.reason_code) if self.status else None

    @property
    def statuses(self) -> tuple[OperatorStatus, ...]:
        return (self.status,) if self.status else ()

    @property
    def final(self) -> bool:
        """Whether a repetition of the call cannot help."""
        return self.status is not None and self.status.reason_code.startswith(_FINAL_CLASSES)


@dataclass(frozen=True, slots=True)
class Silent:
    """There was no answer that shows what happened. `reached` false: the function certainly did not begin."""

    reason: str
    reached: bool


Answer = Executed | Failed | Silent


def read_answer(http_status: int, body: bytes, unparsed: Unparsed, *, secret: str) -> Answer:
    """Parse an HTTP response. `secret` (our matching id) is removed from the operator's message."""
    if http_status in _HTTP_TURNED_AWAY:
        return Silent(f"HTTP {http_status}", reached=False)
    if http_status != _HTTP_OK:
        return Silent(f"HTTP {http_status}", reached=True)
    fields = read_object(body, "answer", unparsed)
    execution = fields.child("header").child("functionExecutionStatus", value_of="status") if fields else None
    status = word(execution.get("status", text(_MOST_WORDS))) if execution else None
    if fields is None or execution is None or status not in _EXECUTED | _FAILED:
        return Silent("an answer that is not ES2+", reached=True)
    if status in _EXECUTED:
        return Executed(
            fields.get("iccid", iccid), fields.get("matchingId", _matching_id), fields.get("smdpAddress", _address)
        )
    return Failed(_status(execution.child("statusCodeData"), secret))


def _status(code: Fields, secret: str) -> OperatorStatus | None:
    """Codes and message. subjectIdentifier is left out: it may be the matching id itself."""
    subject, reason = code.get("subjectCode", _code), code.get("reasonCode", _code)
    if subject is None or reason is None:
        return None
    words = code.get("message", text(_LONGEST_MESSAGE)) or ""
    message = re.sub(re.escape(secret), "…", words, flags=re.IGNORECASE)[:_MOST_WORDS] if secret else ""
    return OperatorStatus(subject_code=subject, reason_code=reason, message=message)


def _matching(pattern: re.Pattern[str], longest: int) -> Callable[[object], str | None]:
    def read(value: object) -> str | None:
        text_value = opaque(longest)(value) if isinstance(value, str) else None
        return text_value if text_value is not None and pattern.fullmatch(text_value) else None

    return read


_code = _matching(_CODE, 40)
#: Small letters stay as they are: the operator's server compares exactly.
_matching_id = _matching(re.compile(r"[-0-9A-Za-z]+"), 255)
_address = _matching(re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?"), 255)
