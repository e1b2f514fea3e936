"""The correction of an order's contact (PP 6.1) by an agent who has identified the buyer: what it does, then doing it.

Ordering corrects. It reaches other orders of the mailbox only where this order has proved that mailbox (I14). Whoever
acts for the buyer is recorded first: `routes/representatives.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from refunds.agent_pages.models import Corrected, FoundContact
from refunds.agent_pages.order_page import IDENTIFIED_BY
from refunds.agent_pages.rendering import page
from refunds.agent_pages.routes.order_actions import Acting, ActingDep, Change, in_words
from refunds.agent_pages.story import search
from shared.contracts import Language
from shared.kernel.services import NotAnsweredError
from shared.values.company import CompanyCountry
from shared.values.identification import IdentifiedBy
from shared.values.moment import Moment
from shared.values.text import Line

routes = APIRouter()
_FIELDS = ("name", "email", "phone", "language")


@dataclass(slots=True, frozen=True, kw_only=True)
class ContactFields:
    """The contact as it shall be; an empty field stays as it is."""

    name: Annotated[str, Line(200, 0), Form()] = ""
    email: Annotated[str, Line(320, 0), Form()] = ""
    phone: Annotated[str, Line(32, 0), Form()] = ""
    language: Annotated[Language | Literal[""], Form()] = ""
    company_name: Annotated[str, Line(200, 0), Form()] = ""
    company_number: Annotated[str, Line(40, 0), Form()] = ""
    company_country: Annotated[CompanyCountry | Literal[""], Form()] = ""

    def values(self) -> dict[str, Any]:
        """What changes, as ordering reads it. A company is given as a whole."""
        values: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(self, name).strip())}
        company = {name: getattr(self, f"company_{name}") for name in ("name", "number", "country")}
        return values | ({"company": company} if any(company.values()) else {})

    def shown(self) -> dict[str, str]:
        """What changes, as the preview shows it."""
        company = f"{self.company_name}, {self.company_number} ({self.company_country})"
        return {**{name: getattr(self, name) for name in _FIELDS}, "company": company}


@dataclass(slots=True, frozen=True, kw_only=True)
class ContactForm(ContactFields):
    """With how the buyer was identified. `reference`: where the evidence is filed."""

    by: Annotated[IdentifiedBy, Form()]
    reference: Annotated[str, Line(60, 0), Form()] = ""

    def request(self, **more: Any) -> dict[str, Any]:
        """The request to ordering."""
        return {**self.values(), "identified": {"by": self.by, "reference": self.reference.strip()}, **more}

    def typed(self) -> dict[str, Any]:
        """What the form on the order's page gets back."""
        return {"contact": asdict(self)}


ContactFormDep = Annotated[ContactForm, Depends()]


async def preview_page(
    acting: Acting,
    order_id: UUID,
    fields: ContactFields,
    body: Mapping[str, Any],
    *,
    action: str,
    back: str,
    how: str,
) -> Response | str:
    """What a correction would do, or why it cannot be shown.

    `fields`: of the form, which is sent again to `action`; `body`: the request to ordering; `how`: who was identified.
    """
    person, trace, services = acting.session.name, acting.pages.trace, acting.pages.services
    path = f"/orders/{order_id}/contact"
    try:
        would = await services.change(
            "ordering", Corrected, path, {**body, "dry_run": True}, person, trace, method="PUT"
        )
    except NotAnsweredError as error:
        return in_words("ordering", error, preview=True)
    found = await search(services, str(order_id), trace)
    order = next(iter(found.value.orders), None) if found.value else None
    if order is None or order.contact is None:
        return "Ordering does not show the contact now. Nothing was done."
    return page(
        "contact",
        session=acting.session,
        order=order,
        contact=_shown(order.contact),
        form=asdict(fields),
        new=fields.shown(),
        would=would,
        action=action,
        back=back,
        how=how,
    )


def _shown(contact: FoundContact) -> dict[str, Any]:
    company = contact.company
    text = "none" if company is None else f"{company.name}, {company.number} ({company.country})"
    return contact.model_dump() | {"company": text}


@routes.post("/agents/orders/{order_id}/contact/preview")
async def preview(order_id: UUID, form: ContactFormDep, acting: ActingDep) -> Response:
    at = f"/agents/orders/{order_id}"
    how = f"{IDENTIFIED_BY[form.by]}; filed under {form.reference}"
    shown = await preview_page(acting, order_id, form, form.request(), action=f"{at}/contact", back=at, how=how)
    if isinstance(shown, str):
        return await acting.pages.show(acting.session, order_id, wrong=shown, typed=form.typed(), status=409)
    return shown


@routes.post("/agents/orders/{order_id}/contact")
async def correct(
    order_id: UUID, form: ContactFormDep, acting: ActingDep, contact_at: Annotated[Moment, Form()]
) -> Response:
    """`contact_at`: of the contact that the preview showed; ordering refuses where it has changed since."""
    body = form.request(contact_at=contact_at.isoformat())
    change = Change("contact_change_requested", "ordering", f"/orders/{order_id}/contact", body, "PUT")
    return await acting.request(order_id, change, "buyer", form.typed())
