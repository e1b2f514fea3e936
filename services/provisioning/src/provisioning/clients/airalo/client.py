"""Client of a reseller: Airalo Partner API v2 (docs/wire/airalo.md).

There is no idempotency key. So each request is stored before its call, under our order number, which is also in the
order's description. An order that may exist is looked up before it is sent again. An order that was sent a moment ago
is not sent again, because it may still be under way.

No personal data is sent: neither name, e-mail nor phone (PP 5.2).
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Literal, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field

from provisioning.clients.airalo import messages as airalo
from provisioning.clients.airalo.messages import Kind, Listed, Order, UsageAnswer
from provisioning.clients.airalo.requests import AiraloRequest, AiraloRequests
from provisioning.clients.airalo.session import Session
from provisioning.clients.context import ClientContext
from provisioning.clients.fields import Unparsed
from provisioning.clients.http_calls import NoReply
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
    TopUpOrder,
    Traits,
    UsageReport,
    refused,
)
from provisioning.settings import OperatorSettings
from shared.outcomes import Done, NotDue

T = TypeVar("T")
_PAGE, _MOST_PAGES = 50, 20
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0
_REFUND_AGAIN = timedelta(days=1)
_NOT_CARRIED_OUT = "the order was accepted, and is not carried out yet"
_UNDER_WAY = "the order was requested a moment ago, and is not in the list of orders yet"
_TAKEN_BACK = Cancellation("taken back by the reseller")


class AiraloOptions(BaseModel):
    """`options` of an operator with `adapter: airalo`. All times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["sync", "async"] = "sync"
    #: async: the public address of `POST /operators/{name}/airalo/webhook`, to which results are sent.
    webhook_url: str | None = None
    #: How long one attempt waits for the result of an order that may be under way.
    wait_seconds: float = Field(10.0, gt=0)
    #: How often the list of orders is queried while no webhook comes.
    poll_seconds: float = Field(2.0, gt=0)
    #: How long an order that was sent may take to appear in the list of orders.
    settle_seconds: float = Field(60.0, gt=0)
    #: How long an accepted asynchronous order may take to be carried out.
    accepted_seconds: float = Field(3600.0, gt=0)
    usage_cache_seconds: float = Field(1200.0, ge=0)
    #: How often the reseller is queried for its decision about a refund.
    refund_poll_seconds: float = Field(3600.0, gt=0)
    refund_reason: str = "SERVICE_ISSUES"
    #: Before our order number in descriptions: for an account that several systems use.
    reference_prefix: str = ""


class AiraloOperator:
    """One account at the reseller. Credentials: `client_id`, `client_secret`."""

    def __init__(self, settings: OperatorSettings, context: ClientContext) -> None:
        self.name = settings.name
        self.traits = Traits(repeatable=False, tops_up=True, reports_usage=True)
        self._options = AiraloOptions.model_validate(settings.options)
        if self._options.mode == "async" and not self._options.webhook_url:
            raise ValueError(f"operator {self.name}: options.webhook_url is needed with mode async")
        self._session = Session(settings, context)
        self._requests = AiraloRequests(context.database, settings.name)
        self._unparsed_fields = context.unparsed_fields

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> CallOutcome[OperatorProfile]:
        """Order one eSIM. A repetition returns the eSIM of an earlier attempt."""
        body = {"package_id": wanted.profile_type, "quantity": "1", "type": "sim"}
        outcome = await self._once("sim", wanted.order_number, body, trace, uncertain=wanted.uncertain)
        if not isinstance(outcome, Done):
            return outcome
        order = outcome.value
        if (ended := _ended(order)) is not None:
            return ended
        profile = order.sims[0].profile if len(order.sims) == 1 else None
        return Done(profile) if profile else OperatorUnknown("the order contains no eSIM that can be delivered")

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> CallOutcome[AppliedTopUp]:
        """Order one more package for an eSIM; the profile type is the package's id. Totals come with the usage."""
        body = {"package_id": wanted.profile_type, "iccid": wanted.iccid}
        outcome = await self._once("topup", wanted.order_number, body, trace, uncertain=wanted.uncertain)
        if not isinstance(outcome, Done):
            return outcome
        order = outcome.value
        if (ended := _ended(order)) is not None:
            return ended
        if order.completed:
            return Done(AppliedTopUp())
        return OperatorUnknown("the reseller has not carried out the top-up", responded=True)

    async def cancel(  # noqa: PLR0911 - one return for each state of a refund
        self, profile: ProfileRef, *, trace: str | None
    ) -> CallOutcome[Cancellation]:
        """Request a refund, which takes the eSIM back once the reseller grants it. Its support decides by hand."""
        reference = self._reference(profile.order_number)
        earlier = await self._requests.of(reference)
        order = await self._look_up("sim", reference, trace)
        if isinstance(order, OperatorNotSent | NotDue):
            return order
        if order is None and profile.iccid is None:
            seconds = self._under_way(earlier)
            return NotDue(timedelta(seconds=seconds), _UNDER_WAY) if seconds else Done(_never_made(earlier))
        if order is not None and order.refunded:
            return Done(_TAKEN_BACK)
        iccid = profile.iccid or (order.sims[0].iccid if order and order.sims else None)
        if iccid is None:
            return OperatorNotSent("the order shows no eSIM yet")
        usage = await self._query_usage(iccid, trace)
        if isinstance(usage, Done) and usage.value.state == "RECYCLED":
            return Done(Cancellation("recycled by the reseller"))
        if isinstance(usage, Done) and usage.value.in_use:
            return refused("The eSIM has been used: the reseller does not take it back.", in_use=True)
        return await self._request_refund(profile, iccid, reference, earlier, trace)

    async def status(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[ProfileStatus]:
        """Install state, as far as the usage shows it."""
        outcome = await self._usage_of(profile, trace)
        if not isinstance(outcome, Done):
            return outcome
        return Done(ProfileStatus(outcome.value.install, usage=outcome.value.report))

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[UsageReport]:
        """Used and total bytes, as old as the reseller's cache (20 minutes)."""
        outcome = await self._usage_of(profile, trace)
        return Done(outcome.value.report) if isinstance(outcome, Done) else outcome

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    # --- ordering once --------------------------------------------------------------------------------------------

    async def _once(  # noqa: PLR0911 - one return for each thing that may have happened before
        self, kind: Kind, number: str, body: dict[str, str], trace: str | None, *, uncertain: bool
    ) -> CallOutcome[Order]:
        """The order of this number: the one of an earlier attempt if there is any, else a new one."""
        reference = self._reference(number)
        earlier = await self._requests.of(reference)
        pending = earlier is not None and earlier.requested_at is not None
        if pending or uncertain:
            order = await self._look_up(kind, reference, trace)
            if isinstance(order, OperatorNotSent | NotDue):
                responded = isinstance(order, NotDue)
                return OperatorUnknown(order.reason, responded=responded) if pending else order
            if order is not None:
                return Done(order)
        if earlier is not None and earlier.request_id is not None:
            return await self._await_result(kind, reference, trace)
        if self._under_way(earlier):
            # One attempt waits as long as for an accepted order: attempts are counted, and a few quick queries are no
            # reason to order from another operator.
            return await self._await_result(kind, reference, trace, _UNDER_WAY)
        if not self._session.authorized and (denied := await self._session.authorize(trace)) is not None:
            return denied
        await self._requests.about_to_call(reference)
        if kind == "sim" and self._options.mode == "async":
            return await self._order_async(reference, body, trace)
        path = "orders" if kind == "sim" else "orders/topups"
        return await self._post(path, reference, body, trace, self._read_order)

    async def _order_async(self, reference: str, body: dict[str, str], trace: str | None) -> CallOutcome[Order]:
        body = body | {"webhook_url": str(self._options.webhook_url)}
        accepted = await self._post("orders-async", reference, body, trace, self._read_accepted)
        if not isinstance(accepted, Done):
            return accepted
        await self._requests.accepted(reference, accepted.value)
        return await self._await_result("sim", reference, trace)

    async def _post(
        self,
        path: str,
        reference: str,
        body: dict[str, str],
        trace: str | None,
        read: Callable[[httpx.Response], CallOutcome[T]],
    ) -> CallOutcome[T]:
        """Make one call that must not be made twice. A call that certainly did nothing may be repeated."""
        answer = await self._session.call(path, "POST", path, trace, body | {"description": reference})
        if isinstance(answer, NoReply):
            reason = f"{path}: {answer.reason}"
            outcome: CallOutcome[T] = OperatorUnknown(reason) if answer.reached else OperatorNotSent(reason)
        else:
            outcome = read(answer)
        if isinstance(outcome, OperatorRefused | OperatorNotSent):
            await self._requests.nothing_done(reference)
        return outcome

    def _read_order(self, answer: httpx.Response) -> CallOutcome[Order]:
        if not answer.is_success:
            return self._refusal(answer)
        order = self._read(airalo.read_order, answer.content)
        return Done(order) if order else OperatorUnknown("the answer is no order")

    def _read_accepted(self, answer: httpx.Response) -> CallOutcome[str]:
        if not answer.is_success:
            return self._refusal(answer)
        request_id = self._read(airalo.read_accepted, answer.content)
        return Done(request_id) if request_id else OperatorUnknown("the answer contains no request id")

    def _refusal(self, answer: httpx.Response) -> OperatorRefused | OperatorNotSent | OperatorUnknown:
        return self._read(partial(airalo.refusal, answer.status_code), answer.content)

    def _read(self, read: Callable[[bytes, Unparsed], T], body: bytes) -> T:
        """Parse a message, and count its fields that could not be parsed."""
        unparsed: Unparsed = set()
        parsed = read(body, unparsed)
        self._unparsed_fields.count(self.name, unparsed)
        return parsed

    async def _await_result(
        self, kind: Kind, reference: str, trace: str | None, otherwise: str = _NOT_CARRIED_OUT
    ) -> CallOutcome[Order]:
        """Wait for the result of an order: a webhook reports it, and the list of orders is queried meanwhile.

        `otherwise`: the reason of the Unknown that is returned when there is no result after `wait_seconds`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.wait_seconds
        query_at, pause = loop.time() + self._options.poll_seconds, _FIRST_PAUSE_SECONDS
        while loop.time() < until:
            request = await self._requests.of(reference)
            reported = request is not None and request.reported_at is not None
            if request is not None and reported and request.code is not None:
                outcome = airalo.of_code(request.code)
                if isinstance(outcome, OperatorRefused | OperatorNotSent):
                    await self._requests.nothing_done(reference)
                return outcome
            if reported or loop.time() >= query_at:
                order = await self._look_up(kind, reference, trace)
                if isinstance(order, Order):
                    return Done(order)
                query_at = loop.time() + self._options.poll_seconds
            await asyncio.sleep(min(pause, max(0.0, until - loop.time())))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        return OperatorUnknown(otherwise, responded=True)

    async def _look_up(self, kind: Kind, reference: str, trace: str | None) -> Order | OperatorNotSent | NotDue | None:
        """Our order with this description; None where there is none.

        A list that cannot be read proves nothing. Neither does a list with one unreadable order, unless our order is in
        it: the unreadable one may be ours.
        """
        orders: list[Order] = []
        complete = True
        for page in range(1, _MOST_PAGES + 1):
            listed = await self._list(reference, page, trace)
            if isinstance(listed, OperatorNotSent):
                return listed
            orders += listed.orders
            complete = complete and listed.complete
            if listed.shown < _PAGE:
                break
        own = airalo.ours(orders, reference, kind)
        if own is not None or complete:
            return own
        return NotDue(timedelta(seconds=1), "orders list: an order in it cannot be read")

    async def _list(self, reference: str, page: int, trace: str | None) -> Listed | OperatorNotSent:
        """One page of the orders whose description contains the reference."""
        query = {"filter[description]": reference, "include": "sims,status", "limit": _PAGE, "page": page}
        answer = await self._session.call("orders list", "GET", f"orders?{urlencode(query)}", trace)
        if isinstance(answer, NoReply):
            return OperatorNotSent(f"orders list: {answer.reason}")
        listed = self._read(airalo.read_orders, answer.content) if answer.status_code == HTTPStatus.OK else None
        return OperatorNotSent(f"orders list: HTTP {answer.status_code}") if listed is None else listed

    def _under_way(self, earlier: AiraloRequest | None) -> float:
        """For how many seconds an earlier call may still have an effect."""
        if earlier is None or earlier.requested_at is None:
            return 0.0
        options = self._options
        may_take = options.accepted_seconds if earlier.request_id and earlier.code is None else options.settle_seconds
        return max(0.0, may_take - (self._requests.clock.now() - earlier.requested_at).total_seconds())

    def _reference(self, number: str) -> str:
        return self._options.reference_prefix + number

    # --- cancellation ---------------------------------------------------------------------------------------------

    async def _request_refund(
        self, profile: ProfileRef, iccid: str, reference: str, earlier: AiraloRequest | None, trace: str | None
    ) -> CallOutcome[Cancellation]:
        now = self._requests.clock.now()
        before = earlier.refund_requested_at if earlier else None
        if before is None or (earlier is not None and earlier.refund_id is None and now - before > _REFUND_AGAIN):
            await self._requests.refund(reference, now)
            body = {"iccids": [iccid], "reason": self._options.refund_reason, "notes": reference}
            answer = await self._session.call("refund", "POST", "refund", trace, body)
            if isinstance(answer, NoReply):
                return OperatorUnknown(f"refund: {answer.reason}")
            if not answer.is_success:
                await self._requests.refund(reference, None)
                return self._refusal(answer)
            await self._requests.refund(reference, now, self._read(airalo.read_refund, answer.content))
            order = await self._look_up("sim", reference, trace)
            if isinstance(order, Order) and order.refunded:
                return Done(_TAKEN_BACK)
        if not profile.delivered:
            return Done(Cancellation("nobody has its code; a refund was requested"))
        wait = timedelta(seconds=self._options.refund_poll_seconds)
        return NotDue(wait, "a refund was requested, and the reseller has not decided yet")

    # --- usage ----------------------------------------------------------------------------------------------------

    async def _usage_of(self, profile: ProfileRef, trace: str | None) -> QueryOutcome[UsageAnswer]:
        if profile.iccid is None:
            return NotReported("unknown-iccid", "The reseller has not reported the eSIM's ICCID.")
        return await self._query_usage(profile.iccid, trace)

    async def _query_usage(self, iccid: str, trace: str | None) -> QueryOutcome[UsageAnswer]:
        answer = await self._session.call("usage", "GET", f"sims/{iccid}/usage", trace)
        if isinstance(answer, NoReply):
            return OperatorNotSent(f"usage: {answer.reason}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return NotReported("unknown-profile", "The reseller has no such eSIM.")
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return NotDue(timedelta(minutes=1), "usage: the reseller limits the rate of calls")
        if answer.status_code != HTTPStatus.OK:
            return OperatorNotSent(f"usage: HTTP {answer.status_code}")
        cached = timedelta(seconds=self._options.usage_cache_seconds)
        since = await self._requests.usage_since(iccid, cached)
        usage = self._read(lambda body, unparsed: airalo.read_usage(body, since, unparsed), answer.content)
        return Done(usage) if usage else OperatorNotSent("usage: the answer cannot be read")


def _ended(order: Order) -> OperatorRefused | None:
    """Why an order brings no eSIM any more, if so."""
    if order.refunded:
        return refused("The reseller has taken this order back.")
    return refused("The reseller could not carry out this order.") if order.failed else None


def _never_made(earlier: AiraloRequest | None) -> Cancellation:
    return Cancellation("never made" if earlier else "never requested", never_made=True)
