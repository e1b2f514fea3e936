"""An operator's HTTP interface below /operator or /operators/{name} (SGP.22 v2.5 §6.5; docs/wire/es2plus.md)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.clock import now
from sandbox.exchange import Call, Handler, Reply, play
from sandbox.faults import FaultBook, Rule, Target
from sandbox.front import Route
from sandbox.settings import Settings
from sandbox.smdp.behaviour import Behaviour
from sandbox.smdp.behaviour import Function as FunctionName
from sandbox.smdp.es2plus import Catalogue, Es2Plus, FailedError
from sandbox.smdp.ledger import FunctionCall, OperatorLedger, Profile
from sandbox.smdp.phone import Phone
from sandbox.smdp.top_ups import TopUps
from sandbox.smdp.wire import PROTOCOL, PROTOCOL_PREFIX

FUNCTIONS = "/gsma/rsp2/es2plus/"
PRIMARY = "primary"
_HEADERS = {"x-admin-protocol": PROTOCOL}

Function = Callable[[dict[str, Any]], tuple[Profile, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Served:
    name: FunctionName
    target: Target
    function: Function


class Operator:
    """The SM-DP+ and the usage feed."""

    def __init__(self, name: str, settings: Settings, ledger: OperatorLedger, faults: FaultBook) -> None:
        self.name = name
        self.base = "/operator" if name == PRIMARY else f"/operators/{name}"
        self.smdp_address = settings.smdp_address if name == PRIMARY else f"{name}.{settings.smdp_address}"
        self._settings = settings
        self._faults = faults
        self.ledger = ledger
        self.catalogue = Catalogue()
        self.phone = Phone(ledger)
        self._es2plus = Es2Plus(ledger, self.catalogue, self.smdp_address, name)
        self._top_ups = TopUps(name, ledger, faults)
        self._as_set()

    def routes(self) -> list[Route]:
        """The operator's paths."""
        functions = self._es2plus
        served = (
            _Served("downloadOrder", "operator.download_order", functions.download_order),
            _Served("confirmOrder", "operator.confirm_order", functions.confirm_order),
            _Served("cancelOrder", "operator.cancel_order", functions.cancel_order),
            _Served("releaseProfile", "operator.release_profile", functions.release_profile),
        )
        top_up = self.base + "/usage/{iccid}/top-ups/{key}"
        return [
            *(Route.of("POST", self.base + FUNCTIONS + one.name, self._handler(one)) for one in served),
            Route.of("GET", self.base + "/usage/{iccid}", self.usage),
            Route.of("PUT", top_up, self._top_ups.put),
            Route.of("GET", top_up, self._top_ups.get),
        ]

    def reset(self) -> None:
        """Empty books, and the settings' catalogue again."""
        self.ledger.clear()
        self._as_set()

    def _as_set(self) -> None:
        """Only the first operator sells the types and tells the address of the settings."""
        settings, catalogue = self._settings, self.catalogue
        self.phone.pushes.clear()
        self.phone.behaviour = Behaviour()
        catalogue.types = frozenset(settings.profile_types) if self.name == PRIMARY else frozenset()
        catalogue.stock, catalogue.allowances = {}, {}
        catalogue.allowance = (settings.allowance_bytes, settings.allowance_days)
        self.phone.progress_url = settings.progress_url.replace("{operator}", self.name)
        self.phone.push_url = settings.usage_push_url.replace("{operator}", self.name)
        self.phone.push_secret = settings.usage_push_secret.replace("{operator}", self.name)

    def _handler(self, served: _Served) -> Handler:
        async def handle(call: Call) -> Reply:
            request = call.json()
            if request is None:
                return Reply.of(400, {"code": 400, "message": "a JSON object is expected"}, _HEADERS)
            fields = {
                "iccid": str(request.get("iccid", "")).rstrip("Ff"),
                "profileType": request.get("profileType") or self._type_of(request.get("iccid")),
                "matchingId": request.get("matchingId"),
                "operator": self.name,
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
        behaviour = self.phone.behaviour
        answer_body = behaviour.answer(served.name, {"header": _status(behaviour.executed), **answer})
        return Reply.of(200, answer_body, _HEADERS)

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
        """The operator's own feed: install state, used bytes, first use, allowance (README.md)."""
        iccid = call.args[0]

        def perform() -> Reply:
            profile, behaviour = self.ledger.get(iccid), self.phone.behaviour
            if profile is None or behaviour.feed == "none":
                return Reply.of(404, {"code": 404, "message": "no such ICCID"})
            document = usage_document(profile, f"sandbox-{self.name}")
            return Reply.of(200, behaviour.feed_document(document, profile.reserved_at))

        def refuse(rule: Rule) -> Reply:
            body = {"code": rule.code or 404, "message": rule.message or "no such ICCID"}
            return Reply.of(rule.status or 404, body)

        fields = {"iccid": iccid, "operator": self.name}
        return await play(self._faults, "operator.usage", fields, perform, refuse)


def usage_document(profile: Profile, source: str) -> dict[str, Any]:
    """What GET …/usage/{iccid} answers; null means the operator does not know."""
    return {
        "iccid": profile.iccid,
        "profileType": profile.profile_type,
        "source": source,
        "observedAt": now(),
        "eid": profile.eid,
        "installState": profile.install_state,
        "installStateAt": profile.install_state_at,
        "usedBytes": profile.used_bytes,
        "usedBytesAt": profile.used_bytes_at,
        "firstUseAt": profile.first_use_at,
        "totalBytes": profile.total_bytes,
        "validUntil": profile.valid_until,
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
