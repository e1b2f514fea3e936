"""Renders the page of one case: facts, the reasoning of the policy, possible actions, and who did what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.rendering import page
from refunds.agent_pages.rules.actions import allowed, askable
from refunds.agent_pages.rules.fact_sheet import fact_sheet
from refunds.agent_pages.rules.reasoning import Step, steps
from refunds.cases import Case, CaseFile, case_state, find_order_of_case, load_one, write_entry
from refunds.cases.rules.facts import facts_of
from refunds.cases.rules.state import awaits_appeal
from refunds.policy import OrderPolicies
from refunds.policy.dependencies import PoliciesDep
from refunds.refused_refunds import WAYS, RefusedRefund, history, read, refusal_in_words
from refunds.support_answers import TemplateError, answers_about, day, fill, money, templates_of
from refunds.support_mail import mails_of_case
from refunds.support_mail.dependencies import SupportMailDep
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.dependencies import ServiceDatabase
from shared.signin.sessions import Session

#: The fields of the page's forms whose text is given back when a form is refused.
NOTHING_TYPED: Mapping[str, Any] = MappingProxyType(
    {"rule": "", "answer": "", "documents": "", "fields": (), "amount": "", "way": "", "reference": ""}
)


@dataclass(slots=True, frozen=True)
class CasePages:
    """Renders the page of a case for whoever is signed in."""

    database: ServiceDatabase
    policies: PoliciesDep
    mail: SupportMailDep

    async def show(
        self,
        session: Session,
        case_id: UUID,
        *,
        wrong: str | None = None,
        changes: Sequence[Any] = (),
        typed: Mapping[str, Any] = NOTHING_TYPED,
        template_id: UUID | None = None,
        status: int = 200,
    ) -> Response:
        """The page, with a template filled in as answer; the audit trail says who opened it. Raises UnknownCaseError.

        `wrong`: why the form that was sent is refused; `changes`: audit entries that it did not know; `typed`: what
        was written in it, by the name of the form's field here.
        """
        async with self.database.transaction() as tx:
            order = await find_order_of_case(tx, case_id)
            if wrong is None and not changes:
                await write_entry(tx, session.who, "case_viewed", order.order_id, case=str(case_id))
            file = await load_one(tx, order.order_id)
            case = next(case for case in file.cases if case.case_id == case_id)
            shown = await store.records(tx, case_id) | await _refused_refund(tx, case_id, session.who)
            mails = await mails_of_case(tx, case_id)
            answers = await answers_about(tx, case_id)
            templates = await templates_of(tx, order.storefront)
            handling = await store.handling(tx, case_id)
            now = tx.now
        policies, calendar = self.policies, self.policies.calendar(order.storefront)
        chosen = next((row for row in templates if row.template_id == template_id), None)
        if chosen is not None:
            values = {
                "order_number": order.order_number,
                "deadline": day(case.due_at, calendar.zone, chosen.language),
                "paid": money(order.paid_minor, order.currency),
                "refund": money(case.amount_minor if case.refund_id else None, case.currency),
            }
            try:
                typed = {"answer": fill(chosen.text, values)}
            except TemplateError as error:
                wrong = str(error)
        return page(
            "case",
            status,
            session=session,
            now=now,
            calendar=calendar,
            zone=calendar.zone,
            order=order,
            file=file,
            case=case,
            state=case_state(case, file.refund(case)),
            appealed=awaits_appeal(case),
            mine=awaits_appeal(case) and case.appeal_of == session.who,
            facts=fact_sheet(file, case),
            steps=_reasoning(file, case, policies, now),
            askable=askable(file, case, policies, now),
            actions=allowed(file, case, policies, now, who=session.who),
            seen=sum(entry.what not in store.UNDECISIVE for entry in shown["trail"]),
            wrong=wrong,
            changes=changes,
            typed={**NOTHING_TYPED, **typed},
            mails=mails,
            answerable=self.mail.mails.answerable([mail for mail in mails if mail.case_id == case_id]),
            answers=answers,
            templates=templates,
            handling=handling,
            **shown,
        )


CasePagesDep = Annotated[CasePages, Depends()]


def _reasoning(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime) -> list[Step]:
    row = file.order.row
    policy = None if row.paid_at is None else policies.policy(row.storefront, row.paid_at)
    if policy is None or case.charge_id is not None:
        return []
    facts = policies.with_delivery_limit(facts_of(file.order, case, now))
    decision = policies.decide(facts)
    return [] if decision is None else steps(facts, policy, decision)


async def _refused_refund(tx: Tx, case_id: UUID, who: str) -> dict[str, Any]:
    """What the page shows of a refund that the bank refused; `refused` is None where there is none."""
    refund = await read(tx, case_id)
    actions = [] if refund is None else await history(tx, case_id)
    return {
        "refused": refund,
        "refused_history": [(row, refusal_in_words(row.refusal or row.decision_refusal)) for row in actions],
        "second_person": _may_decide(refund, who),
        "ways": WAYS,
        "fresh_key": uuid7(),
    }


def _may_decide(refund: RefusedRefund | None, who: str) -> bool:
    action = None if refund is None else refund.open
    return action is not None and action.accepted and action.decided_by is None and action.requested_by != who
