"""A reseller: Airalo Partner API v2 (docs/wire/airalo.md).

There is no idempotency key. So what is asked for is written down before each call, under our order number, which
stands in the order's description; whatever may have been ordered is looked up before it is ordered again, and what was
asked for a moment ago is not asked for again, because it may still be on its way.

Nothing of a buyer leaves this house: neither name, e-mail nor phone is sent (PP 5.2).
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
    Cancelled,
    Made,
    NotKnown,
    NotNow,
    ProfileOrder,
    ProfileRef,
    ProfileStatus,
    Refused,
    ToppedUp,
    TopUpOrder,
    Traits,
    Unknown,
    UsageReport,
)
from provisioning.settings import OperatorSettings

T = TypeVar("T")
_PAGE, _MOST_PAGES = 50, 20
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.05, 1.0
_REFUND_AGAIN = timedelta(days=1)
_NOT_CARRIED_OUT = "the order was accepted, and is not carried out yet"
_UNDER_WAY = "the order was asked for a moment ago, and is not in the list of orders yet"


class AiraloOptions(BaseModel):
    """`options` of an operator with `adapter: airalo`. Seconds, where nothing else is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["sync", "async"] = "sync"
    #: async: where the result is told, the public address of `POST /operators/{name}/airalo/webhook`.
    webhook_url: str | None = None
    #: How long one attempt waits for the result of an order that may be under way before it is tried again.
    wait_seconds: float = Field(10.0, gt=0)
    #: How often the list of orders is asked while no webhook comes.
    poll_seconds: float = Field(2.0, gt=0)
    #: So long may an order that was asked for take to be in the list of orders.
    settle_seconds: float = Field(60.0, gt=0)
    #: So long may an accepted asynchronous order take to be carried out.
    accepted_seconds: float = Field(3600.0, gt=0)
    usage_cache_seconds: float = Field(1200.0, ge=0)
    #: How often it is looked whether the reseller has decided about a refund.
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
        self._memory = AiraloRequests(context.database, settings.name)
        self._unparsed_fields = context.unparsed_fields

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> Made | Refused | NotNow | Unknown:
        """One eSIM. A repetition adopts what an earlier try brought."""
        body = {"package_id": wanted.profile_type, "quantity": "1", "type": "sim"}
        found = await self._once("sim", wanted.order_number, body, trace, uncertain=wanted.uncertain)
        if not isinstance(found, Order):
            return found
        if (refused := _ended(found)) is not None:
            return refused
        made = found.sims[0].made if len(found.sims) == 1 else None
        return made or Unknown("the order holds no eSIM that can be delivered")

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> ToppedUp | Refused | NotNow | Unknown:
        """One package more for an eSIM; the profile type is the top-up package's id. Totals come with the usage."""
        body = {"package_id": wanted.profile_type, "iccid": wanted.iccid}
        found = await self._once("topup", wanted.order_number, body, trace, uncertain=wanted.uncertain)
        if not isinstance(found, Order):
            return found
        if (refused := _ended(found)) is not None:
            return refused
        return ToppedUp() if found.completed else Unknown("the reseller has not carried out the top-up", answered=True)

    async def cancel(  # noqa: PLR0911 - one return for each state of a refund
        self, profile: ProfileRef, *, trace: str | None
    ) -> Cancelled | Refused | NotNow | Unknown:
        """Ask for a refund, which takes the eSIM back once the reseller grants it. Its support decides by hand."""
        reference = self._reference(profile.order_number)
        asked = await self._memory.of(reference)
        found = await self._look_up("sim", reference, trace)
        if isinstance(found, NotNow):
            return found
        if found is None and profile.iccid is None:
            left = self._under_way(asked)
            return NotNow(_UNDER_WAY, retry_after=left, asked=False) if left else _never_made(asked)
        if found is not None and found.refunded:
            return Cancelled("taken back by the reseller")
        iccid = profile.iccid or (found.sims[0].iccid if found and found.sims else None)
        if iccid is None:
            return NotNow("the order shows no eSIM yet")
        usage = await self._ask_usage(iccid, trace)
        if isinstance(usage, UsageAnswer) and usage.state == "RECYCLED":
            return Cancelled("recycled by the reseller")
        if isinstance(usage, UsageAnswer) and usage.in_use:
            return Refused("The eSIM has been used: the reseller does not take it back.", in_use=True)
        return await self._ask_refund(profile, iccid, reference, asked, trace)

    async def status(self, profile: ProfileRef, *, trace: str | None) -> ProfileStatus | NotKnown | NotNow:
        """Install state as far as the usage tells it."""
        answer = await self._usage_of(profile, trace)
        return ProfileStatus(answer.install, usage=answer.report) if isinstance(answer, UsageAnswer) else answer

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> UsageReport | NotKnown | NotNow:
        """Used and total bytes, as old as the reseller's cache (20 minutes)."""
        answer = await self._usage_of(profile, trace)
        return answer.report if isinstance(answer, UsageAnswer) else answer

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    # --- ordering once --------------------------------------------------------------------------------------------

    async def _once(  # noqa: PLR0911 - one return for each thing that may have happened before
        self, kind: Kind, number: str, body: dict[str, str], trace: str | None, *, uncertain: bool
    ) -> Order | Refused | NotNow | Unknown:
        """The order of this number: an earlier one if there is any, else a new one."""
        reference = self._reference(number)
        asked = await self._memory.of(reference)
        pending = asked is not None and asked.asked_at is not None
        if pending or uncertain:
            found = await self._look_up(kind, reference, trace)
            if isinstance(found, NotNow):
                return Unknown(found.reason, answered=not found.asked) if pending else found
            if found is not None:
                return found
        if asked is not None and asked.request_id is not None:
            return await self._await_result(kind, reference, trace)
        if self._under_way(asked):
            # One attempt waits as long as for an accepted order: attempts are counted, and a few quick looks are no
            # reason to order from another operator.
            return await self._await_result(kind, reference, trace, _UNDER_WAY)
        if not self._session.authorized and isinstance(denied := await self._session.authorize(trace), NotNow):
            return denied
        await self._memory.ask(reference)
        if kind == "sim" and self._options.mode == "async":
            return await self._order_async(reference, body, trace)
        path = "orders" if kind == "sim" else "orders/topups"
        return await self._post(path, reference, body, trace, self._read_order)

    async def _order_async(
        self, reference: str, body: dict[str, str], trace: str | None
    ) -> Order | Refused | NotNow | Unknown:
        body = body | {"webhook_url": str(self._options.webhook_url)}
        accepted = await self._post("orders-async", reference, body, trace, self._read_accepted)
        if not isinstance(accepted, str):
            return accepted
        await self._memory.accepted(reference, accepted)
        return await self._await_result("sim", reference, trace)

    async def _post(
        self,
        path: str,
        reference: str,
        body: dict[str, str],
        trace: str | None,
        read: Callable[[httpx.Response], T | Refused | NotNow | Unknown],
    ) -> T | Refused | NotNow | Unknown:
        """One call that must not be made twice. What surely did nothing is forgotten, so that it can be repeated."""
        answer = await self._session.call(path, "POST", path, trace, body | {"description": reference})
        if isinstance(answer, NoReply):
            reason = f"{path}: {answer.reason}"
            outcome: T | Refused | NotNow | Unknown = Unknown(reason) if answer.reached else NotNow(reason)
        else:
            outcome = read(answer)
        if isinstance(outcome, Refused | NotNow):
            await self._memory.nothing_done(reference)
        return outcome

    def _read_order(self, answer: httpx.Response) -> Order | Refused | NotNow | Unknown:
        if not answer.is_success:
            return self._refusal(answer)
        return self._read(airalo.read_order, answer.content) or Unknown("an answer that is no order")

    def _read_accepted(self, answer: httpx.Response) -> str | Refused | NotNow | Unknown:
        if not answer.is_success:
            return self._refusal(answer)
        return self._read(airalo.read_accepted, answer.content) or Unknown("an answer without a request id")

    def _refusal(self, answer: httpx.Response) -> Refused | NotNow | Unknown:
        return self._read(partial(airalo.refusal, answer.status_code), answer.content)

    def _read(self, read: Callable[[bytes, Unparsed], T], body: bytes) -> T:
        """Take a message apart; what is not understood in it is counted."""
        unparsed: Unparsed = set()
        found = read(body, unparsed)
        self._unparsed_fields.count(self.name, unparsed)
        return found

    async def _await_result(
        self, kind: Kind, reference: str, trace: str | None, otherwise: str = _NOT_CARRIED_OUT
    ) -> Order | Refused | NotNow | Unknown:
        """The result of an order: told by a webhook, and looked for in the list while none comes.

        `otherwise`: the reason of the Unknown that is returned when there is none after `wait_seconds`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.wait_seconds
        look_at, pause = loop.time() + self._options.poll_seconds, _FIRST_LOOK_SECONDS
        while loop.time() < until:
            asked = await self._memory.of(reference)
            told = asked is not None and asked.told_at is not None
            if asked is not None and told and asked.code is not None:
                outcome = airalo.of_code(asked.code)
                if isinstance(outcome, Refused | NotNow):
                    await self._memory.nothing_done(reference)
                return outcome
            if told or loop.time() >= look_at:
                found = await self._look_up(kind, reference, trace)
                if isinstance(found, Order):
                    return found
                look_at = loop.time() + self._options.poll_seconds
            await asyncio.sleep(min(pause, max(0.0, until - loop.time())))
            pause = min(pause * 2, _LONGEST_LOOK_SECONDS)
        return Unknown(otherwise, answered=True)

    async def _look_up(self, kind: Kind, reference: str, trace: str | None) -> Order | NotNow | None:
        """Our order of this description. A list that cannot be read says nothing.

        Nor does one of whose orders one cannot be read, unless ours is there: that one may be ours.
        """
        found: list[Order] = []
        complete = True
        for page in range(1, _MOST_PAGES + 1):
            listed = await self._list(reference, page, trace)
            if isinstance(listed, NotNow):
                return listed
            found += listed.orders
            complete = complete and listed.complete
            if listed.shown < _PAGE:
                break
        own = airalo.ours(found, reference, kind)
        return own if own is not None or complete else NotNow("orders list: an order in it cannot be read", asked=False)

    async def _list(self, reference: str, page: int, trace: str | None) -> Listed | NotNow:
        """Orders whose description holds the reference somewhere."""
        asked = {"filter[description]": reference, "include": "sims,status", "limit": _PAGE, "page": page}
        answer = await self._session.call("orders list", "GET", f"orders?{urlencode(asked)}", trace)
        if isinstance(answer, NoReply):
            return NotNow(f"orders list: {answer.reason}")
        listed = self._read(airalo.read_orders, answer.content) if answer.status_code == HTTPStatus.OK else None
        return NotNow(f"orders list: HTTP {answer.status_code}") if listed is None else listed

    def _under_way(self, asked: AiraloRequest | None) -> float:
        """For how many seconds an earlier call may still bring something."""
        if asked is None or asked.asked_at is None:
            return 0.0
        options = self._options
        may_take = options.accepted_seconds if asked.request_id and asked.code is None else options.settle_seconds
        return max(0.0, may_take - (self._memory.clock.now() - asked.asked_at).total_seconds())

    def _reference(self, number: str) -> str:
        return self._options.reference_prefix + number

    # --- taking back ----------------------------------------------------------------------------------------------

    async def _ask_refund(
        self, profile: ProfileRef, iccid: str, reference: str, asked: AiraloRequest | None, trace: str | None
    ) -> Cancelled | Refused | NotNow | Unknown:
        now = self._memory.clock.now()
        before = asked.refund_asked_at if asked else None
        if before is None or (asked is not None and asked.refund_id is None and now - before > _REFUND_AGAIN):
            await self._memory.refund(reference, now)
            body = {"iccids": [iccid], "reason": self._options.refund_reason, "notes": reference}
            answer = await self._session.call("refund", "POST", "refund", trace, body)
            if isinstance(answer, NoReply):
                return Unknown(f"refund: {answer.reason}")
            if not answer.is_success:
                await self._memory.refund(reference, None)
                return self._refusal(answer)
            await self._memory.refund(reference, now, self._read(airalo.read_refund, answer.content))
            found = await self._look_up("sim", reference, trace)
            if isinstance(found, Order) and found.refunded:
                return Cancelled("taken back by the reseller")
        if not profile.delivered:
            return Cancelled("its code was told to nobody; a refund was asked for")
        wait = self._options.refund_poll_seconds
        return NotNow("a refund was asked for, and the reseller has not decided yet", retry_after=wait, asked=False)

    # --- usage ----------------------------------------------------------------------------------------------------

    async def _usage_of(self, profile: ProfileRef, trace: str | None) -> UsageAnswer | NotKnown | NotNow:
        if profile.iccid is None:
            return NotKnown("the reseller has not told which eSIM it is")
        return await self._ask_usage(profile.iccid, trace)

    async def _ask_usage(self, iccid: str, trace: str | None) -> UsageAnswer | NotKnown | NotNow:
        answer = await self._session.call("usage", "GET", f"sims/{iccid}/usage", trace)
        if isinstance(answer, NoReply):
            return NotNow(f"usage: {answer.reason}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return NotKnown("The reseller has no such eSIM.")
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return NotNow("usage: asked too often", retry_after=60.0, asked=False)
        if answer.status_code != HTTPStatus.OK:
            return NotNow(f"usage: HTTP {answer.status_code}")
        cached = timedelta(seconds=self._options.usage_cache_seconds)
        since = await self._memory.usage_since(iccid, cached)
        read = self._read(lambda body, unparsed: airalo.read_usage(body, since, unparsed), answer.content)
        return read or NotNow("usage: an answer that cannot be read")


def _ended(order: Order) -> Refused | None:
    """Why nothing comes of an order any more, if so."""
    if order.refunded:
        return Refused("The reseller has taken this order back.")
    return Refused("The reseller could not carry out this order.") if order.failed else None


def _never_made(asked: AiraloRequest | None) -> Cancelled:
    return Cancelled("never made" if asked else "never asked for", never_made=True)
