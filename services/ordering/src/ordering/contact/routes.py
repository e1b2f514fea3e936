"""HTTP: corrections of contact data (PP 6.1), confirmed by a code or made by an agent."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from ordering.catalogue.models import Catalogue
from ordering.contact.actions import correct, lock_mailbox_of, order_with_contact, requester_of
from ordering.contact.models import Correction
from ordering.contact.rules import channel_of_correction, correction_of
from ordering.contact.store import last_change
from ordering.dependencies import ActingAgent, CatalogueNow, Codes, PageProof, WritingShop
from ordering.timeline.models import Reference
from shared.contracts import FieldError, Language
from shared.contracts.storefront import BuyerCompany
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.identification import Identification
from shared.values.moment import Moment
from shared.values.opaque import Named
from shared.values.text import Line

router = APIRouter(tags=["rights"])


class Change(BaseModel):
    """New contact data; a field that is left out does not change."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Line(200)] | None = None
    email: Annotated[str, Line(320, 0)] | None = None
    phone: Annotated[str, Line(32, 0)] | None = None
    language: Language | None = None


class AgentsChange(Change):
    """New contact data, and how the agent identified the person.

    `company`: of this order alone (PO 1). `dry_run`: say what would change, and change nothing. `contact_at`: as a dry
    run answered it; where the contact has changed since, the correction is refused.
    """

    identified: Identification
    company: BuyerCompany | None = None
    dry_run: bool = False
    contact_at: Moment | None = None


class Corrected(BaseModel):
    """What was changed, or would be, and of how many orders' contacts. `contact_at`: when it had changed before."""

    changed: Annotated[list[str], Field(examples=[["email"]])]
    orders: Annotated[int, Field(examples=[1])]
    contact_at: datetime


@router.post("/orders/{reference}/contact-changes", status_code=HTTPStatus.ACCEPTED, name="ask")
async def request_correction(
    storefront: WritingShop,
    reference: Named,
    body: Change,
    database: ServiceDatabase,
    catalogue: CatalogueNow,
    codes: Codes,
    page: PageProof,
) -> dict[str, Any]:
    """Request a correction of contact data (PP 6.1); it is made when the code is entered.

    If the mailbox is proved, the code is sent there, and all of its proved orders are corrected. Otherwise the code is
    sent to the stored phone, or to the address if the phone changes, and this order is corrected.
    """
    correction = _correction(body, catalogue, storefront)
    async with database.transaction("http") as tx:
        order = await order_with_contact(tx, storefront, Reference.parse(reference))
        mailbox = await lock_mailbox_of(tx, order)
        correction = _of_another_mailbox(correction, mailbox.own.email)
        channel = channel_of_correction(mailbox, correction.fields, shared=order.is_shared)
        requester = requester_of(order, mailbox, page.requested_by(order.order_id))
        confirmation_id = await codes.request(tx, requester, "contact_change", channel, correction.packed())
    return {"confirmation_id": str(confirmation_id), "sent_by": channel, "valid_minutes": codes.valid_minutes}


@router.put("/orders/{reference}/contact", name="set_contact")
async def correct_as_agent(
    agent: ActingAgent, reference: Named, body: AgentsChange, database: ServiceDatabase, catalogue: CatalogueNow
) -> Corrected:
    """Correct contact data as an agent who has identified the buyer or the buyer's representative.

    It corrects this order and, if its mailbox is proved, the other proved orders of the mailbox. The identification is
    stored. 409 `contact-changed`: it has changed since `contact_at`.
    """
    async with database.transaction("http") as tx:
        order = await order_with_contact(tx, None, Reference.parse(reference))
        mailbox = await lock_mailbox_of(tx, order)
        correction = _of_another_mailbox(_correction(body, catalogue, order.storefront), mailbox.own.email)
        buyers = mailbox.own_alone if correction.fields == ["company"] else mailbox.reach("correct")
        changed_at = mailbox.own.changed_at
        if body.contact_at is not None and body.contact_at != changed_at:
            raise _changed_meanwhile(changed_at, await last_change(tx, order.order_id))
        if not body.dry_run:
            await correct(
                tx,
                order.order_id,
                buyers,
                correction,
                confirmed_by=f"agent {agent}",
                identification=body.identified.model_dump(mode="json"),
                trace=order.trace,
            )
    return Corrected(changed=correction.fields, orders=len(buyers), contact_at=changed_at)


def _correction(change: Change, catalogue: Catalogue, storefront: str) -> Correction:
    """The change in normal form. Raises Problem (422) that names the wrong fields."""
    shop = catalogue.storefront(storefront)
    result = correction_of(
        name=change.name,
        email=change.email,
        phone=change.phone,
        language=change.language,
        phone_region=shop.phone_region if shop else None,
        company=change.company if isinstance(change, AgentsChange) else None,
    )
    if isinstance(result, Correction):
        return result
    raise _invalid(result)


def _of_another_mailbox(correction: Correction, email: str) -> Correction:
    """Drop an e-mail address that only spells the stored one differently. Raises Problem (422) if nothing is left."""
    left = correction.of_another_mailbox(email)
    if not left.fields:
        raise _invalid([FieldError(field="email", message="is the mailbox on file already")])
    return left


def _changed_meanwhile(changed_at: datetime, last: Any) -> Problem:
    """`last`: by way of this order. A correction by way of another order of the mailbox names nobody here."""
    who = f" by {last.confirmed_by}" if last is not None and last.changed_at == changed_at else ""
    when = f"{changed_at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"
    detail = f"The contact has changed meanwhile: last{who} on {when}. Look at it before you correct it."
    return Problem(HTTPStatus.CONFLICT, "contact-changed", detail)


def _invalid(errors: list[FieldError]) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-contact",
        "The contact cannot be changed.",
        errors=[dict(error) for error in errors],
    )
