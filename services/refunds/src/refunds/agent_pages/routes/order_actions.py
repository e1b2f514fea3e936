"""The forms of an order that another service carries out in an agent's name: release or refuse it, resend its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response
from pydantic import RootModel

from refunds.agent_pages.dependencies import Sending
from refunds.agent_pages.order_page import NOTHING_TYPED, OrderPagesDep
from refunds.cases import write_entry
from shared.kernel.services import NotAnsweredError
from shared.signin.rendering import redirect

#: An answer that is not read: the page shows the state anew.
Unread = RootModel[Any]
routes = APIRouter()


@dataclass(slots=True, frozen=True)
class Change:
    """A request to another service. `what`: its name in the audit trail."""

    what: str
    service: str
    path: str
    body: Mapping[str, Any]
    method: str = "POST"
    headers: Mapping[str, str] | None = None


@dataclass(slots=True, frozen=True)
class Acting:
    """What every form of an order needs."""

    session: Sending
    pages: OrderPagesDep

    async def request(
        self, order_id: UUID, change: Change, part: str, typed: Mapping[str, Any] = NOTHING_TYPED
    ) -> Response:
        """Have another service do something, and show the order (`part`: of the page); 409 says why it did not.

        The audit trail has an entry before it is done, and one where it is not.
        """
        await self._record(change.what, order_id)
        try:
            await self.pages.services.change(
                change.service,
                Unread,
                change.path,
                change.body,
                self.session.name,
                self.pages.trace,
                method=change.method,
                headers=change.headers,
            )
        except NotAnsweredError as error:
            outcome = "unknown" if error.unknown else error.status or "no answer"
            await self._record("action_refused", order_id, action=change.what, outcome=outcome)
            wrong = in_words(change.service, error)
            return await self.pages.show(self.session, order_id, wrong=wrong, typed=typed, status=409)
        return redirect(f"/agents/orders/{order_id}#{part}")

    async def _record(self, what: str, order_id: UUID, **detail: Any) -> None:
        async with self.pages.database.transaction() as tx:
            await write_entry(tx, self.session.who, what, order_id, **detail)


def in_words(service: str, error: NotAnsweredError, *, preview: bool = False) -> str:
    """Why something was not done, for the agent who wanted it. `preview`: nothing was to be done yet."""
    if error.unknown and not preview:
        return (
            f"{service.capitalize()} did not confirm it. It may be done all the same: see below before you try again."
        )
    if error.detail and error.status not in (401, 403):
        return f"Nothing was done. {error.detail}"
    return f"Nothing was done: {service} {error}."


ActingDep = Annotated[Acting, Depends()]


@routes.post("/agents/orders/{order_id}/release")
async def release(order_id: UUID, acting: ActingDep) -> Response:
    change = Change("release_requested", "ordering", f"/orders/{order_id}/release", {})
    return await acting.request(order_id, change, "held")


@routes.post("/agents/orders/{order_id}/refusal")
async def refuse(order_id: UUID, acting: ActingDep) -> Response:
    change = Change("refusal_requested", "ordering", f"/orders/{order_id}/refusal", {})
    return await acting.request(order_id, change, "held")


@routes.post("/agents/orders/{order_id}/resend")
async def resend(order_id: UUID, acting: ActingDep, key: Annotated[UUID, Form()]) -> Response:
    """`key`: of the form, so that the code is sent once."""
    headers = {"Idempotency-Key": str(key)}
    change = Change("resend_requested", "notifications", f"/orders/{order_id}/resend", {}, headers=headers)
    return await acting.request(order_id, change, "sent")
