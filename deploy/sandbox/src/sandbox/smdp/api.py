"""The operator's HTTP interface below /operator (SGP.22 v2.5 §6.5, JSON binding; interfaces.md §3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.clock import now
from sandbox.exchange import Call, Handler, Reply, play
from sandbox.faults import FaultBook, Rule, Target
from sandbox.front import Route
from sandbox.settings import Settings
from sandbox.smdp.es2plus import Catalogue, Es2Plus, FailedError
from sandbox.smdp.ledger import FunctionCall, OperatorLedger, Profile

BASE = "/operator/gsma/rsp2/es2plus/"
PROTOCOL = "gsma/rsp/v2.5.0"
PROTOCOL_PREFIX = "gsma/rsp/v2."
_HEADERS = {"x-admin-protocol": PROTOCOL}

Function = Callable[[dict[str, Any]], tuple[Profile, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Served:
    name: str
    target: Target
    function: Function


class Operator:
    """The SM-DP+ and the usage feed."""

    def __init__(self, settings: Settings, ledger: OperatorLedger, faults: FaultBook) -> None:
        self._faults = faults
        self._types = frozenset(settings.profile_types)
        self.ledger = ledger
        self.catalogue = Catalogue(self._types)
        self._es2plus = Es2Plus(ledger, self.catalogue, settings.smdp_address)

    def routes(self) -> list[Route]:
        """The operator's paths."""
        functions = self._es2plus
        served = (
            _Served("downloadOrder", "operator.download_order", functions.download_order),
            _Served("confirmOrder", "operator.confirm_order", functions.confirm_order),
            _Served("cancelOrder", "operator.cancel_order", functions.cancel_order),
            _Served("releaseProfile", "operator.release_profile", functions.release_profile),
        )
        routes = [Route.of("POST", BASE + one.name, self._handler(one)) for one in served]
        return [*routes, Route.of("GET", "/operator/usage/{iccid}", self.usage)]

    def reset(self) -> None:
        """Empty books, and the settings' catalogue again."""
        self.ledger.clear()
        self.catalogue.types = self._types
        self.catalogue.stock = {}

    def _handler(self, served: _Served) -> Handler:
        async def handle(call: Call) -> Reply:
            request = call.json()
            if request is None:
                return Reply.of(400, {"code": 400, "message": "a JSON object is expected"}, _HEADERS)
            fields = {
                "iccid": str(request.get("iccid", "")).rstrip("Ff"),
                "profileType": request.get("profileType") or self._type_of(request.get("iccid")),
                "matchingId": request.get("matchingId"),
            }
            return await play(
                self._faults,
                served.target,
                fields,
                lambda: self._execute(served, call, request),
                _refused,
            )

        return handle

    def _type_of(self, iccid: object) -> str | None:
        profile = self.ledger.get(iccid) if isinstance(iccid, str) else None
        return profile.profile_type if profile else None

    def _execute(self, served: _Served, call: Call, request: dict[str, Any]) -> Reply:
        call_id = ""
        try:
            call_id = _call_identifier(call, request)
            profile, answer = served.function(request)
        except FailedError as failed:
            self._note(served.name, call_id, request, failed)
            return _failed(failed)
        profile.calls.append(FunctionCall(at=now(), function=served.name, call_id=call_id, status="Executed-Success"))
        self.ledger.record(profile)
        return Reply.of(200, {"header": _status("Executed-Success"), **answer}, _HEADERS)

    def _note(self, function: str, call_id: str, request: dict[str, Any], failed: FailedError) -> None:
        iccid = request.get("iccid")
        profile = self.ledger.get(iccid) if isinstance(iccid, str) else None
        if profile is None:
            return
        note = FunctionCall(
            at=now(),
            function=function,
            call_id=call_id,
            status="Failed",
            subject_code=failed.subject,
            reason_code=failed.reason,
        )
        profile.calls.append(note)
        self.ledger.record(profile)

    async def usage(self, call: Call) -> Reply:
        """The operator's own feed: install state, used bytes and first use, each with its time (README.md)."""
        iccid = call.args[0]

        def perform() -> Reply:
            profile = self.ledger.get(iccid)
            if profile is None:
                return Reply.of(404, {"code": 404, "message": "no such ICCID"})
            return Reply.of(200, usage_document(profile))

        def refuse(rule: Rule) -> Reply:
            body = {"code": rule.code or 404, "message": rule.message or "no such ICCID"}
            return Reply.of(rule.status or 404, body)

        return await play(self._faults, "operator.usage", {"iccid": iccid}, perform, refuse)


def usage_document(profile: Profile) -> dict[str, Any]:
    """What GET /operator/usage/{iccid} answers; null means the operator does not know."""
    return {
        "iccid": profile.iccid,
        "profileType": profile.profile_type,
        "source": "sandbox-operator",
        "observedAt": now(),
        "installState": profile.install_state,
        "installStateAt": profile.install_state_at,
        "usedBytes": profile.used_bytes,
        "usedBytesAt": profile.used_bytes_at,
        "firstUseAt": profile.first_use_at,
    }


def _call_identifier(call: Call, request: dict[str, Any]) -> str:
    if not call.headers.get("x-admin-protocol", "").startswith(PROTOCOL_PREFIX):
        raise FailedError("1.6", "2.1", "the header X-Admin-Protocol must name gsma/rsp/v2")
    header = request.get("header")
    if not isinstance(header, dict):
        raise FailedError("1.6", "2.2", "header is missing")
    for name in ("functionRequesterIdentifier", "functionCallIdentifier"):
        if not isinstance(header.get(name), str) or not header[name]:
            raise FailedError("1.6", "2.2", f"{name} is missing")
    identifier: str = header["functionCallIdentifier"]
    return identifier


def _status(status: str, code: dict[str, str] | None = None) -> dict[str, Any]:
    execution: dict[str, Any] = {"status": status}
    if code is not None:
        execution["statusCodeData"] = code
    return {"functionExecutionStatus": execution}


def _failed(failed: FailedError) -> Reply:
    code = {"subjectCode": failed.subject, "reasonCode": failed.reason}
    if failed.subject_identifier is not None:
        code["subjectIdentifier"] = failed.subject_identifier
    code["message"] = failed.message
    return Reply.of(200, {"header": _status("Failed", code)}, _HEADERS)


def _refused(rule: Rule) -> Reply:
    if rule.effect == "out_of_stock":
        return _failed(FailedError("8.2.5", "3.7", "no more profiles of this profileType"))
    subject, reason = rule.subject_code or "8.2.1", rule.reason_code or "3.3"
    return _failed(FailedError(subject, reason, rule.message or "the operator refuses"))
