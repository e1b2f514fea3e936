"""The operator's small HTTP port beside ES2+: `GET {usage_url}/{iccid}`, `PUT {usage_url}/{iccid}/top-ups/{key}`."""

from http import HTTPStatus

import httpx

from provisioning.clients.feed.messages import read_report, read_top_up
from provisioning.clients.fields import Unparsed
from provisioning.clients.http_calls import Caller, NoReply
from provisioning.clients.models import NotKnown, NotNow, ProfileStatus, Refused, ToppedUp, TopUpOrder, Unknown
from provisioning.clients.unparsed_fields import UnparsedFields

_MEBIBYTE = 1024 * 1024
_REFUSALS = {
    HTTPStatus.NOT_FOUND: "The operator has no such profile.",
    HTTPStatus.CONFLICT: "The operator says that the profile has ended.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The operator does not accept this top-up.",
}


class Feed:
    """Install state, usage and top-ups of one operator."""

    def __init__(self, operator: str, caller: Caller, unparsed_fields: UnparsedFields) -> None:
        self._operator = operator
        self._caller = caller
        self._unparsed_fields = unparsed_fields

    async def report(self, iccid: str, trace: str | None) -> ProfileStatus | NotKnown | NotNow:
        """What the operator knows of a profile now. Reading may always be repeated."""
        span = self._caller.start("usage", trace)
        response = await self._caller.exchange(span, "GET", iccid)
        unparsed: Unparsed = set()
        answer = _read_report(response, iccid, unparsed)
        self._unparsed_fields.count(self._operator, unparsed)
        well = isinstance(answer, ProfileStatus)
        self._caller.end(span, "usage", _name(answer), "reported" if well else answer.reason, well=well)  # type: ignore[union-attr]
        return answer

    async def top_up(self, wanted: TopUpOrder, trace: str | None) -> ToppedUp | Refused | NotNow | Unknown:
        """Add data and days. The key is in the address, so the operator adds them once however often it is asked."""
        span = self._caller.start("top-up", trace)
        body = {"dataBytes": wanted.data_mb * _MEBIBYTE, "validityDays": wanted.validity_days}
        path = f"{wanted.iccid}/top-ups/{wanted.order_number}"
        unparsed: Unparsed = set()
        answer = _read_top_up(await self._caller.exchange(span, "PUT", path, body), unparsed)
        self._unparsed_fields.count(self._operator, unparsed)
        well = isinstance(answer, ToppedUp)
        self._caller.end(span, "top-up", _name(answer), "added" if well else answer.reason, well=well)  # type: ignore[union-attr]
        return answer

    async def close(self) -> None:
        """Hang up."""
        await self._caller.close()


def _read_report(
    response: httpx.Response | NoReply, iccid: str, unparsed: Unparsed
) -> ProfileStatus | NotKnown | NotNow:
    if isinstance(response, NoReply):
        return NotNow(f"usage: {response.reason}")
    if response.status_code == HTTPStatus.NOT_FOUND:
        return NotKnown("The operator has no such profile.")
    report = read_report(response.content, iccid, unparsed) if response.status_code == HTTPStatus.OK else None
    return report or NotNow(f"usage: HTTP {response.status_code}")


def _read_top_up(response: httpx.Response | NoReply, unparsed: Unparsed) -> ToppedUp | Refused | NotNow | Unknown:
    if isinstance(response, NoReply):
        reason = f"top-up: {response.reason}"
        return Unknown(reason) if response.reached else NotNow(reason)
    status = response.status_code
    if status in _REFUSALS:
        return Refused(_REFUSALS[HTTPStatus(status)])
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotNow(f"top-up: HTTP {status}")
    answer = read_top_up(response.content, unparsed) if status == HTTPStatus.OK else None
    return answer or Unknown(f"top-up: HTTP {status}")


def _name(answer: object) -> str:
    match answer:
        case NotNow() | Unknown():
            return "no_answer"
        case NotKnown() | Refused():
            return "failed"
    return "executed"
