"""ES2+ answers as typed values, and what their codes mean for us (SGP.22 v2.5 sections 5.3 and 6.5)."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts import OperatorStatus

Function = Literal["downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile"]
Pair = tuple[str, str]

ICCID_TAKEN: Pair = ("8.2.1", "3.3")
ICCID_UNKNOWN: Pair = ("8.2.1", "3.9")
OUT_OF_STOCK: Pair = ("8.2.5", "3.7")
MATCHING_ID_IN_USE: Pair = ("8.2.6", "3.3")
MATCHING_ID_OF_ANOTHER: Pair = ("8.2.6", "3.10")

_HTTP_OK = 200
#: Answers of a gateway that turned us away, before the function: unknown path, not allowed, too many calls.
_HTTP_TURNED_AWAY = range(300, 500)
#: Reason codes by class: 2 format error and 3 conditions not satisfied stay so when repeated; 1 access, 4 processing,
#: 5 transport and 6 security may be repaired before the deadline.
_FINAL_CLASSES = ("2.", "3.")
_CODE = re.compile(r"[0-9]+(\.[0-9]+)*")
_MOST_WORDS = 200


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
        """True where repeating the same call cannot help."""
        return self.status is not None and self.status.reason_code.startswith(_FINAL_CLASSES)


@dataclass(frozen=True, slots=True)
class Silent:
    """There was no answer that says what happened. `reached` is false where the function was surely not begun."""

    reason: str
    reached: bool


Answer = Executed | Failed | Silent


class _StatusCode(BaseModel):
    model_config = ConfigDict(extra="ignore")
    subject_code: str = Field(alias="subjectCode")
    reason_code: str = Field(alias="reasonCode")
    message: str | None = None


class _Execution(BaseModel):
    model_config = ConfigDict(extra="ignore")
    status: Literal["Executed-Success", "Executed-WithWarning", "Failed", "Expired"]
    code: _StatusCode | None = Field(None, alias="statusCodeData")


class _Header(BaseModel):
    model_config = ConfigDict(extra="ignore")
    execution: _Execution = Field(alias="functionExecutionStatus")


class _Response(BaseModel):
    model_config = ConfigDict(extra="ignore")
    header: _Header
    iccid: str | None = Field(None, pattern=r"^([0-9]{18,20}|[0-9]{19}[Ff])$")
    matching_id: str | None = Field(None, alias="matchingId", pattern=r"^[-0-9A-Z]+$")
    smdp_address: str | None = Field(None, alias="smdpAddress", pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$")


def read_answer(http_status: int, body: bytes, *, secret: str) -> Answer:
    """What an HTTP response says. `secret` (our matching id) is taken out of the operator's words."""
    if http_status in _HTTP_TURNED_AWAY:
        return Silent(f"HTTP {http_status}", reached=False)
    if http_status != _HTTP_OK:
        return Silent(f"HTTP {http_status}", reached=True)
    try:
        response = _Response.model_validate_json(body)
    except ValidationError:
        return Silent("an answer that is not ES2+", reached=True)
    execution = response.header.execution
    if execution.status.startswith("Executed"):
        return Executed(response.iccid, response.matching_id, response.smdp_address)
    return Failed(_status(execution.code, secret))


def _status(code: _StatusCode | None, secret: str) -> OperatorStatus | None:
    """Codes and words. subjectIdentifier is left out: it may be the matching id itself."""
    if code is None or not (_CODE.fullmatch(code.subject_code) and _CODE.fullmatch(code.reason_code)):
        return None
    message = (code.message or "").replace(secret, "…")[:_MOST_WORDS] if secret else ""
    return OperatorStatus(subject_code=code.subject_code, reason_code=code.reason_code, message=message)
