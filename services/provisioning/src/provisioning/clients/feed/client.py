"""Client of the operator's feed: `GET {usage_url}/{iccid}`, `PUT {usage_url}/{iccid}/top-ups/{key}`."""

from http import HTTPStatus
from typing import Any

import httpx

from provisioning.clients.feed.messages import read_report, read_top_up
from provisioning.clients.fields import Unparsed
from provisioning.clients.http_calls import Caller, NoReply
from provisioning.clients.models import (
    AppliedTopUp,
    CallOutcome,
    NotReported,
    OperatorNotSent,
    OperatorUnknown,
    ProfileStatus,
    QueryOutcome,
    TopUpOrder,
    refused,
)
from provisioning.clients.unparsed_fields import UnparsedFields
from shared.outcomes import Done, Outcome, Refused
from shared.telemetry.tracing import Call

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

    async def report(self, iccid: str, trace: str | None) -> QueryOutcome[ProfileStatus]:
        """Query the operator about a profile. A query may always be repeated."""
        span = self._caller.start("usage", trace)
        response = await self._caller.exchange(span, "GET", iccid)
        unparsed: Unparsed = set()
        outcome = _read_report(response, iccid, unparsed)
        self._unparsed_fields.count(self._operator, unparsed)
        self._end(span, "usage", outcome, "reported")
        return outcome

    async def top_up(self, wanted: TopUpOrder, trace: str | None) -> CallOutcome[AppliedTopUp]:
        """Add data and days. The key is in the address, so the operator adds them once, however often it is called."""
        span = self._caller.start("top-up", trace)
        body = {"dataBytes": wanted.data_mb * _MEBIBYTE, "validityDays": wanted.validity_days}
        path = f"{wanted.iccid}/top-ups/{wanted.order_number}"
        unparsed: Unparsed = set()
        outcome = _read_top_up(await self._caller.exchange(span, "PUT", path, body), unparsed)
        self._unparsed_fields.count(self._operator, unparsed)
        self._end(span, "top-up", outcome, "added")
        return outcome

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()

    def _end(self, span: Call, function: str, outcome: Outcome[Any], success: str) -> None:
        """End the call's span; `success` describes a call that was carried out."""
        match outcome:
            case Done():
                self._caller.end(span, function, "executed", success, successful=True)
            case Refused(_, reason):
                self._caller.end(span, function, "failed", reason, successful=False)
            case _:
                self._caller.end(span, function, "no_answer", outcome.reason, successful=False)


def _read_report(response: httpx.Response | NoReply, iccid: str, unparsed: Unparsed) -> QueryOutcome[ProfileStatus]:
    if isinstance(response, NoReply):
        return OperatorNotSent(f"usage: {response.reason}")
    if response.status_code == HTTPStatus.NOT_FOUND:
        return NotReported("unknown-profile", "The operator has no such profile.")
    report = read_report(response.content, iccid, unparsed) if response.status_code == HTTPStatus.OK else None
    return Done(report) if report else OperatorNotSent(f"usage: HTTP {response.status_code}")


def _read_top_up(response: httpx.Response | NoReply, unparsed: Unparsed) -> CallOutcome[AppliedTopUp]:
    if isinstance(response, NoReply):
        reason = f"top-up: {response.reason}"
        return OperatorUnknown(reason) if response.reached else OperatorNotSent(reason)
    status = response.status_code
    if status in _REFUSALS:
        return refused(_REFUSALS[HTTPStatus(status)])
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return OperatorNotSent(f"top-up: HTTP {status}")
    answer = read_top_up(response.content, unparsed) if status == HTTPStatus.OK else None
    return Done(answer) if answer else OperatorUnknown(f"top-up: HTTP {status}")
