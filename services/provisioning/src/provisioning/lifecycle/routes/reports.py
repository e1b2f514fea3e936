"""Reports of operators about profiles: ES2+ notifications and signed usage pushes, stored before they are answered.

Each report of the operator itself is stored with a verdict and answered 204, since a repetition would be the same. A
field that cannot be parsed is unknown and counted; the other fields count. A request that names no profile, that is not
authenticated, or that goes beyond the reports of a day (429), is refused and changes nothing.
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.security import HTTPBearer

from provisioning.clients.es2plus import notifications as progress
from provisioning.clients.es2plus.notifications import read_notification
from provisioning.clients.feed import pushes
from provisioning.clients.feed.messages import read_report
from provisioning.clients.feed.pushes import Push, read_push
from provisioning.clients.fields import Unparsed
from provisioning.clients.reports import Report
from provisioning.lifecycle.observation import Observations, SourcedReport
from provisioning.lifecycle.operator_queries import report_of
from provisioning.operators import Operators
from provisioning.settings import LifecycleSettings
from shared.database import Database
from shared.ids import uuid_for
from shared.kernel.auth import bearer_token
from shared.kernel.problems import Problem
from shared.values.opaque import Credential, Named

PROTOCOL = "gsma/rsp/v2.5.0"
_PROTOCOLS = "gsma/rsp/v2."
_PROGRESS = "gsma/rsp2/es2plus/handleDownloadProgressInfo"
_ADMIN = {"X-Admin-Protocol": PROTOCOL}
routes = APIRouter(tags=["operators"])


class Reports:
    """Parses, checks and stores reports of operators."""

    def __init__(
        self, settings: LifecycleSettings, operators: Operators, database: Database, observations: Observations
    ) -> None:
        self._settings = settings
        self._operators = operators
        self._database = database
        self._observations = observations

    def admit(self, operator: str, request: Request, *offered: str | None) -> None:
        """Admit a request with the operator's secret, or over mutual TLS with its certificate. Raises Problem (401)."""
        self._check_configured(operator)
        settings = self._settings
        secret = settings.notification_secrets.get(operator)
        shown = [text for text in offered if text]
        if secret is not None and any(_same(secret.get_secret_value(), text) for text in shown):
            return
        certificate, header = settings.notification_certificates.get(operator), settings.client_certificate_header
        if certificate and header and _same(certificate, _fingerprint(request.headers.get(header, ""))):
            return
        self._count_refusal(operator, progress.SOURCE, "not_admitted")
        detail = "Send the secret agreed for this operator as `Authorization: Bearer <secret>`, or its certificate."
        raise Problem(HTTPStatus.UNAUTHORIZED, "unknown-notifier", detail, headers={"WWW-Authenticate": "Bearer"})

    async def progress(self, operator: str, body: bytes, protocol: str, trace: str | None) -> None:
        """Store one ES2+.HandleDownloadProgressInfo. Raises Problem (400) for a body that is none.

        `protocol`: X-Admin-Protocol. A release that we do not support is counted; the message is read all the same.
        """
        unparsed: Unparsed = set() if protocol.startswith(_PROTOCOLS) else {f"{progress.NAME}.X-Admin-Protocol"}
        message = read_notification(body, self._settings.notification_points.get(operator, {}), unparsed)
        self._operators.unparsed_fields.count(operator, unparsed)
        if message is None:
            raise _unreadable("A JSON object is expected whose iccid is 18 to 20 digits, perhaps filled up with F.")
        now = self._database.clock.now()
        report, detail = message.report(now), message.detail()
        if unparsed:
            detail["not_understood"] = sorted(unparsed)
        key = uuid_for(progress.SOURCE, operator, *message.same(now))
        sourced = SourcedReport(operator, message.iccid, report, key, detail, trace)
        async with self._database.transaction("http") as tx:
            await self._observations.record_sent(tx, sourced)

    async def push(self, operator: str, body: bytes, signature: str | None, trace: str | None) -> None:
        """Store one usage push. Raises Problem: not signed (401), not of now (409), unreadable (400)."""
        self._check_configured(operator)
        secret = self._settings.usage_push_secrets.get(operator)
        if secret is None or not pushes.is_signed(body, signature, secret.get_secret_value()):
            self._count_refusal(operator, pushes.SOURCE, "bad_signature")
            detail = "X-Signature is not the HMAC-SHA256 of this body under the agreed key."
            raise Problem(HTTPStatus.UNAUTHORIZED, "bad-signature", detail)
        unparsed: Unparsed = set()
        push = read_push(body, unparsed)
        if push is None:
            self._operators.unparsed_fields.count(operator, unparsed)
            raise _unreadable(
                "A JSON object is expected with iccid (18 to 20 digits) and timestamp (ISO 8601 with its zone)."
            )
        window = timedelta(seconds=self._settings.usage_push_window_seconds)
        if not pushes.in_window(push.timestamp, self._database.clock.now(), window):
            self._count_refusal(operator, pushes.SOURCE, "outside_window")
            detail = "Its timestamp is not of now: it may be an old push that somebody sent again. Send a new one."
            raise Problem(HTTPStatus.CONFLICT, "stale-push", detail)
        report = _pushed(push, body, unparsed)
        self._operators.unparsed_fields.count(operator, unparsed)
        kept = {"push": push.id, **({"not_understood": sorted(unparsed)} if unparsed else {})}
        sourced = SourcedReport(operator, push.iccid, report, _push_id(operator, body), kept, trace)
        async with self._database.transaction("http") as tx:
            await self._observations.record_sent(tx, sourced)

    def _check_configured(self, operator: str) -> None:
        if operator not in self._operators:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-operator", "No operator of this name is configured here.")

    def _count_refusal(self, operator: str, source: str, verdict: str) -> None:
        self._observations.verdicts.labels(operator, source, verdict).inc()


def provide_reports(app: FastAPI, reports: Reports) -> None:
    """Give the endpoints of this app the object that stores reports."""
    app.state.reports = reports


def _reports(request: Request) -> Reports:
    reports: Reports = request.app.state.reports
    return reports


class _OperatorSecret(HTTPBearer):
    """A FastAPI dependency: the secret in `Authorization`, empty where there is none."""

    async def __call__(self, request: Request) -> str:  # type: ignore[override] # the secret instead of the header
        return bearer_token(request.headers.get("authorization"))


ReportsDependency = Annotated[Reports, Depends(_reports)]
Secret = Annotated[str, Depends(_OperatorSecret(scheme_name="operator", auto_error=False))]


@routes.post(f"/operators/{{operator}}/{_PROGRESS}", status_code=HTTPStatus.NO_CONTENT)
async def progress_info(
    request: Request,
    operator: Named,
    reports: ReportsDependency,
    bearer: Secret,
    secret: Annotated[Credential | None, Query(description="instead of the header")] = None,
) -> Response:
    """ES2+.HandleDownloadProgressInfo (SGP.22 v2.5 section 5.3.5)."""
    return await _notification(request, operator, reports, bearer, secret)


@routes.post(f"/operators/{{operator}}/key/{{secret}}/{_PROGRESS}", status_code=HTTPStatus.NO_CONTENT)
async def progress_info_by_address(
    request: Request, operator: Named, secret: Credential, reports: ReportsDependency
) -> Response:
    """The same, for vendors that can only be given an address."""
    return await _notification(request, operator, reports, secret)


@routes.post("/operators/{operator}/usage", status_code=HTTPStatus.NO_CONTENT)
async def usage(
    request: Request,
    operator: Named,
    reports: ReportsDependency,
    x_signature: Annotated[Credential | None, Header(description="`sha256=<hex>`")] = None,
) -> Response:
    """A usage push: a document as the operator's feed has, with `timestamp` and perhaps `id`."""
    await reports.push(operator, await request.body(), x_signature, request.state.trace)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _notification(request: Request, operator: str, reports: Reports, *secrets: str | None) -> Response:
    reports.admit(operator, request, *secrets)
    protocol = request.headers.get("x-admin-protocol", "")
    await reports.progress(operator, await request.body(), protocol, request.state.trace)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_ADMIN)


def _unreadable(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "unreadable-report", detail)


def _pushed(push: Push, body: bytes, unparsed: Unparsed) -> Report:
    status = read_report(body, push.iccid, unparsed, sent_at=push.timestamp)
    if status is None:
        raise _unreadable("A report about the profile that the push names is expected.")
    report = report_of(status, status.usage, now=push.timestamp)
    return replace(report, source=pushes.SOURCE, at=push.timestamp.astimezone(UTC))


def _push_id(operator: str, body: bytes) -> UUID:
    return uuid_for(pushes.SOURCE, operator, hashlib.sha256(body).hexdigest())


def _fingerprint(text: str) -> str:
    """A certificate's fingerprint in any of the forms that proxies write: `AB:CD…`, `abcd…`, `sha256:…`."""
    return text.lower().removeprefix("sha256:").replace(":", "").strip()


def _same(expected: str, offered: str) -> bool:
    return hmac.compare_digest(expected.encode(), offered.encode())
