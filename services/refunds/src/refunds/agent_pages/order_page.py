"""Renders the page of one order: what every service knows of it and its buyer, and what an agent may do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import Depends
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import Services
from refunds.agent_pages.lines import line
from refunds.agent_pages.rendering import page
from refunds.agent_pages.story import read_story
from refunds.cases import write_entry
from refunds.policy import Reason
from refunds.policy.dependencies import PoliciesDep
from refunds.representatives import of_order, state_of
from refunds.support_answers import answers_of_order
from shared.contracts import Language
from shared.ids import uuid7
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.signin.sessions import Session
from shared.values.identification import Authority, IdentifiedBy

#: How an agent identified a person, and what a representative acts upon (PP 6.2); ordering stores them.
IDENTIFIED_BY: Mapping[IdentifiedBy, str] = {
    "identity_document": "showed an identity document",
    "payment_details": "named the payment: day, amount and last digits of the card",
    "call_back": "called back at the phone of the order",
    "in_person": "known in person",
    "court_order": "named by a court",
}
AUTHORITIES: Mapping[Authority, str] = {
    "power_of_attorney": "a power of attorney",
    "guardianship": "a guardianship",
    "court_order": "an order of a court",
    "law": "the law (a parent, say)",
}
#: The fields of the page's forms, which get back what was typed where a form is refused.
NOTHING_TYPED: Mapping[str, Any] = {
    "reason": "technical_failure",
    "caller": "",
    "call": "",
    "given": (),
    "contact": dict.fromkeys(
        (
            *("name", "email", "phone", "language", "by", "reference"),
            *("company_name", "company_number", "company_country"),
        ),
        "",
    ),
    "representation": dict.fromkeys(
        ("representative", "by", "document_date", "authority", "authority_date", "reference"), ""
    ),
}
#: How an agent identified a person who phoned, by its name in the audit trail.
CALLERS: Mapping[str, str] = {
    "call_back": "called back at the phone of the order",
    "payment_details": "named the payment: day, amount and last digits of the card",
    "proved_mailbox": "wrote from the proved mailbox during the call",
}


@dataclass(slots=True, frozen=True)
class OrderPages:
    """Renders the page of an order for whoever is signed in."""

    database: ServiceDatabase
    policies: PoliciesDep
    services: Services
    trace: RequestTrace

    async def show(
        self,
        session: Session,
        order_id: UUID,
        *,
        wrong: str | None = None,
        typed: Mapping[str, Any] = NOTHING_TYPED,
        status: int = 200,
    ) -> Response:
        """The page; 404 where nothing is known of such an order. Who has opened it is in the audit trail.

        `wrong`: why the form that was sent from this page is refused; `typed`: what was written in it.
        """
        story = await read_story(self.services, order_id, self.trace)
        found = story.found
        async with self.database.transaction() as tx:
            now = tx.now
            records = await store.records_of_order(tx, order_id)
            own = records["order"]
            if (own or found) and wrong is None:
                await write_entry(tx, session.who, "order_viewed", order_id)
            answers = await answers_of_order(tx, order_id)
            represented = [(row, state_of(row, now)) for row in await of_order(tx, order_id)]
            rows = [line(row, self.policies) for row in await store.cases_of_order(tx, order_id)]
        storefront = own.storefront if own else found.storefront if found else None
        return page(
            "order",
            status if own or found or story.order.problem else 404,
            session=session,
            now=now,
            zone=self.policies.calendar(storefront or "").zone,
            order_id=order_id,
            story=story,
            found=found,
            rows=rows,
            answers=answers,
            represented=represented,
            storefront=storefront,
            number=own.order_number if own else found.order_number if found else None,
            wrong=wrong,
            typed={**NOTHING_TYPED, **typed},
            reasons=get_args(Reason),
            languages=get_args(Language),
            callers=CALLERS,
            identified_by=IDENTIFIED_BY,
            authorities=AUTHORITIES,
            fresh_key=uuid7(),
            **records,
        )


OrderPagesDep = Annotated[OrderPages, Depends()]
