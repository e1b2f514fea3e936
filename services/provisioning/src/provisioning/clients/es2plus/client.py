"""Client of an SM-DP+ over ES2+ (SGP.22 v2.5, JSON binding).

ICCID and matching id are ours and chosen before the first call, so every function may be repeated. An ICCID that is
"taken" (8.2.1/3.3) or a matching id "in use" (8.2.6/3.3) may result from our own earlier call whose reply was lost.
"""

from datetime import datetime, timedelta
from typing import Any

from provisioning.clients.context import ClientContext
from provisioning.clients.es2plus import messages as es2plus
from provisioning.clients.es2plus.messages import Answer, Executed, Failed, Function, Silent, read_answer
from provisioning.clients.feed.client import Feed
from provisioning.clients.fields import Unparsed
from provisioning.clients.http_calls import Caller, NoReply
from provisioning.clients.http_pool import HttpPool, secure_context
from provisioning.clients.models import (
    AppliedTopUp,
    CallOutcome,
    Cancellation,
    NotReported,
    OperatorNotSent,
    OperatorProfile,
    OperatorRefused,
    OperatorUnknown,
    ProfileOrder,
    ProfileRef,
    ProfileStatus,
    QueryOutcome,
    Statuses,
    TopUpOrder,
    Traits,
    UsageReport,
    refused,
)
from provisioning.settings import OperatorSettings
from shared.ids import uuid7
from shared.outcomes import Done, NotDue
from shared.values.iccid import on_the_wire

_PATH = "/gsma/rsp2/es2plus/"
_HEADERS = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}
_FEED_CONNECTIONS = 8
#: The time of a feed that gives whole seconds may be up to a second too early.
_WHOLE_SECONDS = timedelta(seconds=1)
_FEED_AGAIN = timedelta(seconds=30)
#: States of the feed in which no device has taken the profile.
_UNTOUCHED = ("released",)
_OTHER_ICCID = "The operator does not keep to the ICCIDs it allotted to us."
_NO_FEED = "This operator has no feed of usage and install states."


class Es2PlusOperator:
    """One SM-DP+. The setting `smdp_address` is used where an answer does not name the server for downloads."""

    def __init__(self, settings: OperatorSettings, context: ClientContext) -> None:
        self.name = settings.name
        self._requester = settings.requester_id
        self._smdp_address = settings.smdp_address
        secure = secure_context(settings.tls_certificate, settings.tls_key, settings.tls_authority)
        base = (settings.url or "").rstrip("/") + _PATH
        pool = HttpPool(base, _HEADERS, settings.timeout_seconds, settings.concurrency, secure)
        self._caller = Caller(self.name, "ES2+", pool, context.tracing, context.calls)
        self._unparsed_fields = context.unparsed_fields
        self._clock = context.clock
        self._feed: Feed | None = None
        if settings.usage_url:
            base = settings.usage_url.rstrip("/") + "/"
            connections = min(_FEED_CONNECTIONS, settings.concurrency)
            pool = HttpPool(base, {}, settings.timeout_seconds, connections, secure)
            caller = Caller(self.name, "feed", pool, context.tracing, context.calls)
            self._feed = Feed(self.name, caller, context.unparsed_fields)
        has_feed = self._feed is not None
        self.traits = Traits(repeatable=True, tops_up=has_feed, reports_usage=has_feed)

    async def order(  # noqa: PLR0911 - one return for each way an answer can go
        self, wanted: ProfileOrder, *, trace: str | None
    ) -> CallOutcome[OperatorProfile]:
        """Reserve the profile under our ICCID, then confirm it under our matching id (sections 5.3.1 and 5.3.2)."""
        answer = await self._call("downloadOrder", wanted, trace, profileType=wanted.profile_type)
        match answer:
            case Silent(reason, reached):
                reason = f"downloadOrder: {reason}"
                return OperatorUnknown(reason) if reached else OperatorNotSent(reason)
            case Failed(pair=es2plus.ICCID_TAKEN):
                return await self._confirm(wanted, trace, taken=answer)
            case Failed(pair=es2plus.OUT_OF_STOCK):
                return refused("The operator has no such profile in stock.", answer.statuses, out_of_stock=True)
            case Failed():
                if answer.final:
                    return refused("The operator refuses to make this profile.", answer.statuses)
                return OperatorNotSent("downloadOrder failed", statuses=answer.statuses)
            case Executed(iccid) if iccid not in (None, wanted.iccid):
                # Each repetition would reserve one more profile.
                return refused(_OTHER_ICCID, left_behind=True)
        return await self._confirm(wanted, trace, taken=None, named=answer.iccid is not None)

    async def _confirm(  # noqa: PLR0911 - as above
        self, wanted: ProfileOrder, trace: str | None, taken: Failed | None, *, named: bool = True
    ) -> CallOutcome[OperatorProfile]:
        """Bind the profile to our matching id and release it. `named`: downloadOrder's answer named our ICCID."""
        answer = await self._call("confirmOrder", wanted, trace, matchingId=wanted.matching_id, releaseFlag=True)
        earlier = taken.statuses if taken else ()
        match answer:
            case Silent(reason):
                return OperatorUnknown(f"confirmOrder: {reason}", statuses=earlier)
            case Executed(_, matching_id, smdp_address):
                self._smdp_address = smdp_address or self._smdp_address
                if self._smdp_address is None:
                    return refused("The operator does not name the server of its downloads.", left_behind=True)
                return Done(OperatorProfile(self._smdp_address, matching_id or str(wanted.matching_id)))
            case Failed(pair=es2plus.MATCHING_ID_IN_USE):
                # 130 random bits: it is our own confirmation, whose reply was lost.
                if self._smdp_address is None:
                    return _identity_used(earlier + answer.statuses)
                return await self._released(wanted, trace, self._smdp_address, earlier + answer.statuses)
            case Failed(pair=es2plus.ICCID_TAKEN) if taken:
                return _identity_used(answer.statuses)
            case Failed(pair=es2plus.ICCID_UNKNOWN) if not named:
                return refused(_OTHER_ICCID, answer.statuses, left_behind=True)
            case Failed(pair=es2plus.ICCID_TAKEN | es2plus.ICCID_UNKNOWN):
                return OperatorUnknown("confirmOrder contradicts downloadOrder", statuses=earlier + answer.statuses)
        if answer.final:
            return refused("The operator refuses to release this profile.", answer.statuses, left_behind=True)
        return OperatorUnknown("confirmOrder failed", statuses=earlier + answer.statuses)

    async def _released(
        self, wanted: ProfileOrder, trace: str | None, address: str, statuses: Statuses
    ) -> CallOutcome[OperatorProfile]:
        """The profile is bound to us already: make sure that it is released for download (section 5.3.4)."""
        answer = await self._call("releaseProfile", wanted, trace)
        match answer:
            case Silent(reason):
                return OperatorUnknown(f"releaseProfile: {reason}", statuses=statuses)
            case Failed(pair=es2plus.ICCID_UNKNOWN):
                return OperatorUnknown("releaseProfile contradicts confirmOrder", statuses=statuses + answer.statuses)
        # Executed: it had been confirmed only. Failed (8.2.1/3.3 and the like): it is not waiting for a release.
        return Done(OperatorProfile(address, str(wanted.matching_id)))

    async def cancel(  # noqa: PLR0911 - as in order
        self, profile: ProfileRef, *, trace: str | None
    ) -> CallOutcome[Cancellation]:
        """Cancel the profile for good (section 5.3.3), at whatever step an earlier call stopped."""
        called_at = self._clock.now()
        answer = await self._cancel(profile, trace)
        if isinstance(answer, Failed) and answer.pair == es2plus.MATCHING_ID_OF_ANOTHER:
            # Reserved and never confirmed, or not ours. Only a profile that is still reserved can be bound to our
            # matching id (unreleased), and only a profile that is bound to it is cancelled: never another order's.
            bound = await self._call("confirmOrder", profile, trace, matchingId=profile.matching_id, releaseFlag=False)
            if isinstance(bound, Failed) and bound.pair == es2plus.ICCID_TAKEN:
                return Done(Cancellation("cancelled before, or never ours"))
            answer = await self._cancel(profile, trace) if isinstance(bound, Executed) else bound
        match answer:
            case Executed():
                return Done(Cancellation("cancelled"))
            case Failed(pair=es2plus.ICCID_UNKNOWN) if not profile.delivered:
                return Done(Cancellation("never made", never_made=True))
            case Failed(pair=es2plus.ICCID_TAKEN):
                if not profile.delivered:
                    return Done(Cancellation("not available any more"))
                return await self._taken(profile, trace, answer.statuses, called_at)
            case Failed():
                reason = "The operator does not take this profile back."
                return refused(reason, answer.statuses) if answer.final else OperatorNotSent("cancelOrder failed")
        return (
            OperatorUnknown(f"cancelOrder: {answer.reason}")
            if answer.reached
            else OperatorNotSent(f"cancelOrder: {answer.reason}")
        )

    async def _taken(
        self, profile: ProfileRef, trace: str | None, statuses: Statuses, called_at: datetime
    ) -> CallOutcome[Cancellation]:
        """8.2.1/3.3 for a delivered profile: it is on a phone, or an earlier call cancelled it. The feed shows which.

        Only a report that is newer than that answer proves that no phone has it.
        """
        report = await self.status(profile, trace=trace)
        if isinstance(report, OperatorNotSent | NotDue):
            reason = f"cancelOrder answers 8.2.1/3.3, and the feed is unreachable: {report.reason}"
            return OperatorNotSent(reason, statuses=statuses)
        if isinstance(report, Done):
            status = report.value
            if status.install.state in _UNTOUCHED:
                if status.known_at is None or status.known_at + _WHOLE_SECONDS < called_at:
                    older = "cancelOrder answers 8.2.1/3.3, and the feed's report is older"
                    return NotDue(_FEED_AGAIN, older)
                return Done(Cancellation("cancelled before"))
            if status.install.state != "unknown":
                return refused("The profile is, or was, on a device.", statuses, in_use=True)
        if profile.uncertain:
            return refused("The operator does not report whether the profile is on a device or cancelled.", statuses)
        return refused(
            "The operator reports that the profile is taken: it is, or was, on a device.", statuses, in_use=True
        )

    async def _cancel(self, profile: ProfileRef, trace: str | None) -> Answer:
        return await self._call(
            "cancelOrder", profile, trace, matchingId=profile.matching_id, finalProfileStatusIndicator="Unavailable"
        )

    async def status(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[ProfileStatus]:
        """From the feed; ES2+ has no such function."""
        if self._feed is None or profile.iccid is None:
            return NotReported("no-feed", _NO_FEED)
        return await self._feed.report(profile.iccid, trace)

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[UsageReport]:
        """From the feed; ES2+ has none."""
        report = await self.status(profile, trace=trace)
        if not isinstance(report, Done):
            return report
        usage = report.value.usage
        return Done(usage) if usage else NotReported("no-usage", "The feed's report contains no usage.")

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> CallOutcome[AppliedTopUp]:
        """Through the operator's feed."""
        if self._feed is None:
            return refused("This operator does not offer top-ups.")
        return await self._feed.top_up(wanted, trace)

    async def _call(
        self, function: Function, wanted: ProfileOrder | ProfileRef, trace: str | None, **fields: Any
    ) -> Answer:
        """Call one function."""
        header = {"functionRequesterIdentifier": self._requester, "functionCallIdentifier": str(uuid7())}
        body = {"header": header, "iccid": on_the_wire(wanted.iccid or ""), **fields}
        span = self._caller.start(function, trace)
        response = await self._caller.exchange(span, "POST", function, body)
        if isinstance(response, NoReply):
            answer: Answer = Silent(response.reason, reached=response.reached)
        else:
            unparsed: Unparsed = set()
            answer = read_answer(response.status_code, response.content, unparsed, secret=wanted.matching_id or "")
            self._unparsed_fields.count(self.name, unparsed)
        self._caller.end(span, function, _outcome(answer), _detail(answer), successful=isinstance(answer, Executed))
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()
        if self._feed is not None:
            await self._feed.close()


def _identity_used(statuses: Statuses) -> OperatorRefused:
    """Our own order, whose reply was lost, or another's under the same ICCID.

    The profile is not put back (cancelOrder, Available) to be ordered again under the same matching id: a cancellation
    that arrives late, from a network or from a process that was frozen, would take back what was delivered since.
    """
    reason = "The operator has made a profile and does not tell where phones download it."
    return refused(reason, statuses, left_behind=True, identity_used=True)


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
