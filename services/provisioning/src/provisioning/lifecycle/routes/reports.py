"""Where operators report on profiles: ES2+ notifications and signed usage pushes. Stored first, then answered.

What comes from the operator itself is kept whatever it says, with a verdict, and answered 204, since a repetition would
say the same. A field that is not understood reads as unknown and is counted; it does not cost the rest. What names no
profile, or may come from somebody else, is refused and changes nothing.
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from provisioning.clients.es2plus import notifications as progress
from provisioning.clients.es2plus.notifications import read_notification
from provisioning.clients.feed import pushes
from provisioning.clients.feed.messages import read_report
from provisioning.clients.feed.pushes import Push, read_push
from provisioning.clients.fields import Unparsed
from provisioning.clients.reports import Report
from provisioning.lifecycle.observation import Observations, SourcedReport
from provisioning.lifecycle.operator_queries import report_of
from provisioning.operators.registry import Operators
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


class Reports:
    """Reads, checks and stores what operators send."""

    def __init__(
        self, settings: LifecycleSettings, operators: Operators, database: Database, observations: Observations
    ) -> None:
        self._settings = settings
        self._operators = operators
        self._database = database
        self._observations = observations

    def admit(self, operator: str, request: Request, *offered: str | None) -> None:
        """It carries the operator's secret, or came over mutual TLS with its certificate. Raises Problem."""
        self._known(operator)
        settings = self._settings
        secret = settings.notification_secrets.get(operator)
        shown = [text for text in offered if text]
        if secret is not None and any(_same(secret.get_secret_value(), text) for text in shown):
            return
        certificate, header = settings.notification_certificates.get(operator), settings.client_certificate_header
        if certificate and header and _same(certificate, _fingerprint(request.headers.get(header, ""))):
            return
        self._refused(operator, progress.SOURCE, "not_admitted")
        detail = "Send the secret agreed for this operator as `Authorization: Bearer <secret>`, or its certificate."
        raise Problem(HTTPStatus.UNAUTHORIZED, "unknown-notifier", detail, headers={"WWW-Authenticate": "Bearer"})

    async def progress(self, operator: str, body: bytes, protocol: str, trace: str | None) -> None:
        """One ES2+.HandleDownloadProgressInfo. Raises Problem (400) where it is none.

        `protocol`: X-Admin-Protocol. A release that we do not know is counted, and decides nothing.
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
        told = SourcedReport(operator, message.iccid, report, key, detail, trace)
        async with self._database.transaction("http") as tx:
            await self._observations.record_observation(tx, [told])

    async def push(self, operator: str, body: bytes, signature: str | None, trace: str | None) -> None:
        """One usage push. Raises Problem: not signed, too old, unreadable."""
        self._known(operator)
        secret = self._settings.usage_push_secrets.get(operator)
        if secret is None or not pushes.is_signed(body, signature, secret.get_secret_value()):
            self._refused(operator, pushes.SOURCE, "bad_signature")
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
            self._refused(operator, pushes.SOURCE, "outside_window")
            detail = "Its timestamp is not of now: it may be an old push that somebody sent again. Send a new one."
            raise Problem(HTTPStatus.CONFLICT, "stale-push", detail)
        report = _pushed(push, body, unparsed)
        self._operators.unparsed_fields.count(operator, unparsed)
        kept = {"push": push.id, **({"not_understood": sorted(unparsed)} if unparsed else {})}
        told = SourcedReport(operator, push.iccid, report, _push_id(operator, body), kept, trace)
        async with self._database.transaction("http") as tx:
            await self._observations.record_observation(tx, [told])

    def _known(self, operator: str) -> None:
        if operator not in self._operators:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-operator", "No operator of this name is configured here.")

    def _refused(self, operator: str, source: str, verdict: str) -> None:
        self._observations.verdicts.labels(operator, source, verdict).inc()


def router(reports: Reports) -> APIRouter:
    """`POST /operators/{name}/…`. The secret may stand in the path, for vendors that can only be given an address."""
    routes = APIRouter(tags=["operators"])

    async def take(request: Request, operator: str, *offered: str | None) -> Response:
        reports.admit(operator, request, *offered)
        protocol = request.headers.get("x-admin-protocol", "")
        await reports.progress(operator, await request.body(), protocol, request.state.trace)
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=_ADMIN)

    @routes.post(f"/operators/{{operator}}/{_PROGRESS}", status_code=HTTPStatus.NO_CONTENT)
    async def progress_info(
        request: Request,
        operator: Named,
        authorization: Annotated[str | None, Header(description="`Bearer <secret>`")] = None,
        secret: Annotated[Credential | None, Query(description="instead of the header")] = None,
    ) -> Response:
        """ES2+.HandleDownloadProgressInfo (SGP.22 v2.5 section 5.3.5)."""
        return await take(request, operator, bearer_token(authorization), secret)

    @routes.post(f"/operators/{{operator}}/key/{{secret}}/{_PROGRESS}", status_code=HTTPStatus.NO_CONTENT)
    async def progress_info_by_address(request: Request, operator: Named, secret: Credential) -> Response:
        """The same."""
        return await take(request, operator, secret)

    @routes.post("/operators/{operator}/usage", status_code=HTTPStatus.NO_CONTENT)
    async def usage(
        request: Request,
        operator: Named,
        x_signature: Annotated[Credential | None, Header(description="`sha256=<hex>`")] = None,
    ) -> Response:
        """A usage push: a document as the operator's feed has, with `timestamp` and perhaps `id`."""
        await reports.push(operator, await request.body(), x_signature, request.state.trace)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return routes


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
    """As proxies write it: `AB:CD…`, `abcd…`, `sha256:…`."""
    return text.lower().removeprefix("sha256:").replace(":", "").strip()


def _same(known: str, offered: str) -> bool:
    return hmac.compare_digest(known.encode(), offered.encode())
