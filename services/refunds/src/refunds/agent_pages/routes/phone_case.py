"""A case for a buyer who phoned: the agent writes down what was said, sees what follows, and opens the case."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import Sending
from refunds.agent_pages.order_page import CALLERS, OrderPagesDep
from refunds.agent_pages.rendering import page
from refunds.cases import (
    AlreadyRefundedError,
    CaseService,
    CaseServiceDep,
    LimitError,
    NotPaidError,
    case_state,
    find_order,
    load_one,
    lock,
    write_entry,
)
from refunds.cases import Request as CaseRequest
from refunds.policy import Reason
from shared.signin.rendering import redirect
from shared.values.count import LARGEST_INT, Count
from shared.values.text import Lines

routes = APIRouter()


@dataclass(slots=True, frozen=True)
class PhoneForm:
    """What the agent writes down. `given`: what the buyer said besides; `caller`: how the person was identified."""

    reason: Annotated[Reason, Form()]
    caller: Annotated[Literal["call_back", "payment_details", "proved_mailbox"], Form()]
    text: Annotated[str, Lines(4000, 0), Form()] = ""
    given: Annotated[tuple[Literal["full_name", "email", "phone", "payment_date", "evidence"], ...], Form()] = ()

    def request(self) -> CaseRequest:
        """The request as a case takes it. The contract has no channel of its own for calls."""
        words = (("circumstances", self.text.strip()),) if self.text.strip() else ()
        provided = frozenset({"order_number", "reason", *self.given})
        return CaseRequest(reason=self.reason, channel="form", origin="agent", provided=provided, words=words)


PhoneFormDep = Annotated[PhoneForm, Depends()]


@dataclass(slots=True, frozen=True)
class _Phone:
    """What both steps need."""

    session: Sending
    pages: OrderPagesDep
    case_service: CaseServiceDep
    request: Request

    async def preview(
        self, order_id: UUID, form: PhoneForm, *, changes: Sequence[Any] = (), status: int = 200
    ) -> Response:
        """What the case would be. The case is opened in a transaction that is rolled back."""
        trying: CaseService = self.request.app.state.trying_case_service
        try:
            async with self.pages.database.reading() as tx:
                row = await find_order(tx, str(order_id), None)
                seen = await store.count_entries(tx, order_id)
                before = (await load_one(tx, order_id)).cases
                file, case, new = await trying.open_case(tx, order_id, form.request(), who=self.session.who, trace=None)
                now = tx.now
        except (NotPaidError, AlreadyRefundedError, LimitError) as error:
            return await self.refused(order_id, form, error)
        calendar = self.pages.policies.calendar(row.storefront)
        return page(
            "phone_case",
            status,
            session=self.session,
            now=now,
            zone=calendar.zone,
            calendar=calendar,
            order=row,
            case=case,
            state=case_state(case, file.refund(case)),
            new=new,
            again=not new and any(known.case_id == case.case_id and known.closed_at is not None for known in before),
            form=form,
            callers=CALLERS,
            seen=seen,
            changes=changes,
        )

    async def refused(self, order_id: UUID, form: PhoneForm, error: Exception) -> Response:
        """The order's page, with the reason why no case can be opened."""
        wrong = str(error) if isinstance(error, LimitError) else _WHY[type(error)]
        return await self.pages.show(self.session, order_id, wrong=wrong, typed=typed(form), status=409)


_WHY: dict[type[Exception], str] = {
    NotPaidError: "The order is not known to be paid: there is nothing to give back.",
    AlreadyRefundedError: "Everything that was paid for this order goes back already.",
}
PhoneDep = Annotated[_Phone, Depends()]


def typed(form: PhoneForm) -> dict[str, Any]:
    """What the form on the order's page gets back."""
    return {"reason": form.reason, "caller": form.caller, "call": form.text, "given": form.given}


@routes.post("/agents/orders/{order_id}/case/preview")
async def preview(order_id: UUID, form: PhoneFormDep, phone: PhoneDep) -> Response:
    return await phone.preview(order_id, form)


@routes.post("/agents/orders/{order_id}/case")
async def open_case(
    order_id: UUID, form: PhoneFormDep, phone: PhoneDep, seen: Annotated[Count, Form(le=LARGEST_INT)]
) -> Response:
    """`seen`: how many entries about the order's cases the preview counted; later ones are shown first (409)."""
    who = phone.session.who
    try:
        async with phone.pages.database.transaction() as tx:
            await find_order(tx, str(order_id), None)
            await lock(tx, [order_id])
            changes = await store.entries_since(tx, order_id, seen)
            if not changes:
                _, case, _ = await phone.case_service.open_case(
                    tx, order_id, form.request(), who=who, trace=phone.pages.trace
                )
                await write_entry(tx, who, "call_written_down", order_id, case.case_id, identified_by=form.caller)
    except (NotPaidError, AlreadyRefundedError, LimitError) as error:
        return await phone.refused(order_id, form, error)
    if changes:
        return await phone.preview(order_id, form, changes=changes, status=409)
    return redirect(f"/agents/cases/{case.case_id}")
