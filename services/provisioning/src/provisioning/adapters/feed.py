"""The operator's small HTTP port beside ES2+: `GET {usage_url}/{iccid}`, `PUT {usage_url}/{iccid}/top-ups/{key}`."""

from http import HTTPStatus

import httpx

from provisioning.adapters.caller import Caller, NoReply
from provisioning.domain.feed import read_report, read_top_up
from provisioning.domain.fields import Odd
from provisioning.domain.operator import NotKnown, NotNow, ProfileStatus, Refused, ToppedUp, TopUpOrder, Unknown
from provisioning.not_understood import NotUnderstood

_MEBIBYTE = 1024 * 1024
_REFUSALS = {
    HTTPStatus.NOT_FOUND: "The operator has no such profile.",
    HTTPStatus.CONFLICT: "The operator says that the profile has ended.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The operator does not accept this top-up.",
}


class Feed:
    """Install state, usage and top-ups of one operator."""

    def __init__(self, operator: str, caller: Caller, not_understood: NotUnderstood) -> None:
        self._operator = operator
        self._caller = caller
        self._not_understood = not_understood

    async def report(self, iccid: str, trace: str | None) -> ProfileStatus | NotKnown | NotNow:
        """What the operator knows of a profile now. Reading may always be repeated."""
        span = self._caller.start("usage", trace)
        response = await self._caller.exchange(span, "GET", iccid)
        odd: Odd = set()
        answer = _read_report(response, iccid, odd)
        self._not_understood.count(self._operator, odd)
        well = isinstance(answer, ProfileStatus)
        self._caller.end(span, "usage", _name(answer), "reported" if well else answer.reason, well=well)  # type: ignore[union-attr] # a report needs no reason
        return answer

    async def top_up(self, wanted: TopUpOrder, trace: str | None) -> ToppedUp | Refused | NotNow | Unknown:
        """Add data and days. The key is in the address, so the operator adds them once however often it is asked."""
        span = self._caller.start("top-up", trace)
        body = {"dataBytes": wanted.data_mb * _MEBIBYTE, "validityDays": wanted.validity_days}
        path = f"{wanted.iccid}/top-ups/{wanted.order_number}"
        odd: Odd = set()
        answer = _read_top_up(await self._caller.exchange(span, "PUT", path, body), odd)
        self._not_understood.count(self._operator, odd)
        well = isinstance(answer, ToppedUp)
        self._caller.end(span, "top-up", _name(answer), "added" if well else answer.reason, well=well)  # type: ignore[union-attr] # as above
        return answer

    async def close(self) -> None:
        """Hang up."""
        await self._caller.close()


def _read_report(response: httpx.Response | NoReply, iccid: str, odd: Odd) -> ProfileStatus | NotKnown | NotNow:
    if isinstance(response, NoReply):
        return NotNow(f"usage: {response.reason}")
    if response.status_code == HTTPStatus.NOT_FOUND:
        return NotKnown("The operator has no such profile.")
    report = read_report(response.content, iccid, odd) if response.status_code == HTTPStatus.OK else None
    return report or NotNow(f"usage: HTTP {response.status_code}")


def _read_top_up(response: httpx.Response | NoReply, odd: Odd) -> ToppedUp | Refused | NotNow | Unknown:
    if isinstance(response, NoReply):
        reason = f"top-up: {response.reason}"
        return Unknown(reason) if response.reached else NotNow(reason)
    status = response.status_code
    if status in _REFUSALS:
        return Refused(_REFUSALS[HTTPStatus(status)])
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotNow(f"top-up: HTTP {status}")
    answer = read_top_up(response.content, odd) if status == HTTPStatus.OK else None
    return answer or Unknown(f"top-up: HTTP {status}")


def _name(answer: object) -> str:
    match answer:
        case NotNow() | Unknown():
            return "no_answer"
        case NotKnown() | Refused():
            return "failed"
    return "executed"
