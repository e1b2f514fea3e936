"""The correction of an order's contact (PP 6.1) by an agent who has identified the person: what it does, then doing it.

Ordering corrects. It reaches other orders of the mailbox only where this order has proved that mailbox (I14).
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from refunds.agent_pages.models import Corrected
from refunds.agent_pages.order_page import IDENTIFIED_BY
from refunds.agent_pages.rendering import page
from refunds.agent_pages.routes.order_actions import Acting, ActingDep, Change, in_words
from refunds.agent_pages.story import search
from shared.contracts import Language
from shared.kernel.services import NotAnsweredError
from shared.values.moment import Moment
from shared.values.text import Line

routes = APIRouter()
_FIELDS = ("name", "email", "phone", "language")


@dataclass(slots=True, frozen=True)
class ContactForm:
    """The contact as it shall be; an empty field stays as it is. `reference`: where the evidence is filed."""

    by: Annotated[Literal["identity_document", "payment_details", "call_back", "in_person", "court_order"], Form()]
    reference: Annotated[str, Line(60, 0), Form()] = ""
    authority: Annotated[Literal["", "power_of_attorney", "guardianship", "court_order", "law"], Form()] = ""
    name: Annotated[str, Line(200, 0), Form()] = ""
    email: Annotated[str, Line(320, 0), Form()] = ""
    phone: Annotated[str, Line(32, 0), Form()] = ""
    language: Annotated[Language | Literal[""], Form()] = ""

    def body(self, **more: Any) -> dict[str, Any]:
        """The request to ordering."""
        values = {name: value for name in _FIELDS if (value := getattr(self, name).strip())}
        identified: dict[str, Any] = {"by": self.by, "reference": self.reference.strip()}
        if self.authority:
            identified |= {"representative": True, "authority": self.authority}
        return {**values, "identified": identified, **more}

    def typed(self) -> dict[str, Any]:
        """What the form on the order's page gets back."""
        return {"contact": asdict(self)}


ContactFormDep = Annotated[ContactForm, Depends()]


@routes.post("/agents/orders/{order_id}/contact/preview")
async def preview(order_id: UUID, form: ContactFormDep, acting: ActingDep) -> Response:
    person, trace = acting.session.name, acting.pages.trace
    try:
        would = await acting.pages.services.change(
            "ordering",
            Corrected,
            f"/orders/{order_id}/contact",
            form.body(dry_run=True),
            person,
            trace,
            method="PUT",
        )
    except NotAnsweredError as error:
        return await _again(acting, order_id, form, in_words("ordering", error, preview=True))
    found = await search(acting.pages.services, str(order_id), trace)
    order = next(iter(found.value.orders), None) if found.value else None
    if order is None or order.contact is None:
        return await _again(acting, order_id, form, "Ordering does not show the contact now. Nothing was done.")
    return page(
        "contact",
        session=acting.session,
        order=order,
        contact=order.contact.model_dump(),
        form=asdict(form),
        would=would,
        identified_by=IDENTIFIED_BY,
    )


async def _again(acting: Acting, order_id: UUID, form: ContactForm, wrong: str) -> Response:
    return await acting.pages.show(acting.session, order_id, wrong=wrong, typed=form.typed(), status=409)


@routes.post("/agents/orders/{order_id}/contact")
async def correct(
    order_id: UUID, form: ContactFormDep, acting: ActingDep, contact_at: Annotated[Moment, Form()]
) -> Response:
    """`contact_at`: of the contact that the preview showed; ordering refuses where it has changed since."""
    body = form.body(contact_at=contact_at.isoformat())
    change = Change("contact_change_requested", "ordering", f"/orders/{order_id}/contact", body, "PUT")
    return await acting.request(order_id, change, "buyer", form.typed())
