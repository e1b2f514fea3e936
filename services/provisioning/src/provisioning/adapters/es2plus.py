"""An SM-DP+ over ES2+ (SGP.22 v2.5, JSON binding).

ICCID and matching id are ours and fixed before the first call, so every function may be repeated: an ICCID that is
"taken" (8.2.1/3.3) or a matching id "in use" (8.2.6/3.3) is perhaps our own earlier call whose reply was lost.
"""

from typing import Any

import httpx
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, Counter

from provisioning.adapters.clients import Clients
from provisioning.domain import es2plus
from provisioning.domain.es2plus import Answer, Executed, Failed, Function, Silent, read_answer
from provisioning.domain.identifiers import from_the_wire, on_the_wire
from provisioning.domain.operator import Made, NotNow, ProfileOrder, Refused, Statuses, Unknown, Withdrawn
from shared.ids import uuid7
from shared.telemetry.tracing import Tracing

_PATH = "gsma/rsp2/es2plus/"
_HEADERS = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}


class Es2PlusOperator:
    """One SM-DP+. `smdp_address` stands in where an answer does not name the server that phones ask."""

    def __init__(
        self,
        name: str,
        url: str,
        tracing: Tracing,
        registry: CollectorRegistry,
        *,
        requester: str,
        timeout_seconds: float = 10.0,
        connections: int = 64,
        smdp_address: str | None = None,
    ) -> None:
        self.name = name
        self._tracing = tracing
        self._requester = requester
        self._smdp_address = smdp_address
        self._calls = Counter(
            "operator_calls", "ES2+ calls by outcome", ["operator", "function", "outcome"], registry=registry
        )
        self._client = Clients(url.rstrip("/") + "/" + _PATH, _HEADERS, timeout_seconds, connections)

    async def order(  # noqa: PLR0911 - one return for each way an answer can go
        self, wanted: ProfileOrder, *, trace: str | None
    ) -> Made | Refused | NotNow | Unknown:
        """Reserve the profile under our ICCID, then confirm it under our matching id."""
        answer = await self._call("downloadOrder", wanted, trace, profileType=wanted.profile_type)
        match answer:
            case Silent(reason, reached):
                reason = f"downloadOrder: {reason}"
                return Unknown(reason) if reached else NotNow(reason)
            case Failed(pair=es2plus.ICCID_TAKEN):
                return await self._confirm(wanted, trace, taken=answer)
            case Failed(pair=es2plus.OUT_OF_STOCK):
                return Refused("The operator has no such profile in stock.", answer.statuses, stock_out=True)
            case Failed():
                if answer.final:
                    return Refused("The operator refuses to make this profile.", answer.statuses)
                return NotNow("downloadOrder failed", answer.statuses)
            case Executed(iccid) if from_the_wire(iccid or "") != wanted.iccid:
                # Each repetition would reserve one more profile: better no profile than many.
                return Refused("The operator does not keep to the ICCIDs it allotted to us.", left_behind=True)
        return await self._confirm(wanted, trace, taken=None)

    async def _confirm(  # noqa: PLR0911 - as above
        self, wanted: ProfileOrder, trace: str | None, taken: Failed | None
    ) -> Made | Refused | Unknown:
        answer = await self._call("confirmOrder", wanted, trace, matchingId=wanted.matching_id, releaseFlag=True)
        earlier = taken.statuses if taken else ()
        match answer:
            case Silent(reason):
                return Unknown(f"confirmOrder: {reason}", earlier)
            case Executed(_, matching_id, smdp_address):
                self._smdp_address = smdp_address or self._smdp_address
                if self._smdp_address is None:
                    return Refused("The operator does not say where its profiles are downloaded.", left_behind=True)
                return Made(self._smdp_address, matching_id or wanted.matching_id)
            case Failed(pair=es2plus.MATCHING_ID_IN_USE):
                # 130 random bits: it is our own confirmation, whose reply was lost.
                if self._smdp_address is not None:
                    return Made(self._smdp_address, wanted.matching_id)
                return await self._begin_again(wanted, trace, earlier + answer.statuses)
            case Failed(pair=es2plus.ICCID_TAKEN) if taken:
                return await self._begin_again(wanted, trace, answer.statuses)
            case Failed(pair=es2plus.ICCID_TAKEN | es2plus.ICCID_UNKNOWN):
                return Unknown("confirmOrder contradicts downloadOrder", earlier + answer.statuses)
        if answer.final:
            return Refused("The operator refuses to release this profile.", answer.statuses, left_behind=True)
        return Unknown("confirmOrder failed", earlier + answer.statuses)

    async def _begin_again(self, wanted: ProfileOrder, trace: str | None, statuses: Statuses) -> Refused | Unknown:
        """Put the profile back and order it again: the way to learn what a lost reply said.

        cancelOrder names our matching id, so that it strikes our own profile only; nobody has its code yet.
        """
        answer = await self._call(
            "cancelOrder", wanted, trace, matchingId=wanted.matching_id, finalProfileStatusIndicator="Available"
        )
        match answer:
            case Executed():
                return Unknown("put back, to be ordered again", statuses)
            case Failed(pair=es2plus.MATCHING_ID_OF_ANOTHER):
                return Refused("The ICCID belongs to another order.", statuses, left_behind=True)
            case Failed():
                return Unknown("cancelOrder failed", (*statuses, *answer.statuses))
        return Unknown(f"cancelOrder: {answer.reason}", statuses)

    async def withdraw(self, wanted: ProfileOrder, *, trace: str | None) -> Withdrawn | Refused | NotNow | Unknown:
        """Take the profile out of use, wherever an earlier order got stuck."""
        answer = await self._cancel(wanted, trace)
        if isinstance(answer, Failed) and answer.pair == es2plus.MATCHING_ID_OF_ANOTHER:
            # Reserved and never confirmed, or not ours. Only what is still reserved can be bound to our matching id
            # (unreleased), and only what is bound to it is cancelled: no other order's profile is ever touched.
            bound = await self._call("confirmOrder", wanted, trace, matchingId=wanted.matching_id, releaseFlag=False)
            if isinstance(bound, Failed) and bound.pair == es2plus.ICCID_TAKEN:
                return Withdrawn("withdrawn before, or never ours")
            answer = await self._cancel(wanted, trace) if isinstance(bound, Executed) else bound
        match answer:
            case Executed():
                return Withdrawn("cancelled")
            case Failed(pair=es2plus.ICCID_UNKNOWN):
                return Withdrawn("never made")
            case Failed(pair=es2plus.ICCID_TAKEN):
                return Withdrawn("not available any more")
            case Failed():
                reason = "The operator does not take this profile back."
                return Refused(reason, answer.statuses) if answer.final else NotNow("cancelOrder failed")
        return Unknown(f"cancelOrder: {answer.reason}") if answer.reached else NotNow(f"cancelOrder: {answer.reason}")

    async def _cancel(self, wanted: ProfileOrder, trace: str | None) -> Answer:
        return await self._call(
            "cancelOrder", wanted, trace, matchingId=wanted.matching_id, finalProfileStatusIndicator="Unavailable"
        )

    async def _call(self, function: Function, wanted: ProfileOrder, trace: str | None, **fields: Any) -> Answer:
        """One call of one function."""
        header = {"functionRequesterIdentifier": self._requester, "functionCallIdentifier": str(uuid7())}
        body = {"header": header, "iccid": on_the_wire(wanted.iccid), **fields}
        attributes = {"rpc.system": "es2plus", "rpc.method": function, "peer.service": self.name}
        span = self._tracing.start(f"ES2+ {function}", trace, SpanKind.CLIENT, attributes)
        answer = await self._exchange(function, body, span.traceparent, wanted.matching_id)
        outcome = _outcome(answer)
        span.set("operator.status", _detail(answer))
        span.end(None if isinstance(answer, Executed) else outcome)
        self._calls.labels(self.name, function, outcome).inc()
        return answer

    async def _exchange(self, function: str, body: dict[str, Any], trace: str | None, secret: str) -> Answer:
        headers = {"traceparent": trace} if trace else {}
        try:
            response = await self._client.post(function, json=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Silent(type(error).__name__, reached=False)
        except (httpx.HTTPError, TimeoutError) as error:
            return Silent(type(error).__name__, reached=True)
        return read_answer(response.status_code, response.content, secret=secret)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _outcome(answer: Answer) -> str:
    match answer:
        case Executed():
            return "executed"
        case Failed():
            return "failed"
    return "no_answer" if answer.reached else "not_reached"


def _detail(answer: Answer) -> str:
    if isinstance(answer, Silent):
        return answer.reason
    if isinstance(answer, Failed):
        return "/".join(answer.pair) if answer.pair else "failed without codes"
    return "executed"
