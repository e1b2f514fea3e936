"""E-mails that wait for an agent, one of them with its files, and what the agent makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import Response

from refunds.agent_pages.dependencies import Sending, SignedIn
from refunds.agent_pages.rendering import page
from refunds.cases import (
    AlreadyRefundedError,
    LimitError,
    NotAllowedError,
    NotPaidError,
    UnknownOrderError,
    find_order,
    write_entry,
)
from refunds.policy import Reason
from refunds.policy.dependencies import PoliciesDep
from refunds.support_mail import Placing, mail_of, waiting
from refunds.support_mail.dependencies import SupportMailDep
from shared.database import Database, Tx
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.signin.rendering import redirect
from shared.signin.sessions import Session
from shared.values.count import LARGEST_INT, Count
from shared.values.text import Line

#: Why a mail waits, in an agent's words.
WHY = {
    "spoofed": "the sender's domain says that it did not send this mail",
    "unproved": "nothing proves who sent it",
    "not_theirs": "it names an order that belongs to another contact",
    "several_orders": "it may be about several orders",
    "no_order": "it names no order, and its sender has none",
    "unclear": "what it asks for is not clear",
    "limit": "its case has had as many requests as it takes",
    "unreadable": "its bytes are no mail that can be read",
    "too_large": "it is larger than what is read; only its head is here",
    "message": "it is a message from the order's page or a form",
}
_PLACINGS: Mapping[Placing, str] = {
    "refund": "a request for money back",
    "note": "an answer about the open case",
    "claim": "a written claim",
}
#: Pictures that a browser shows; everything else is saved.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

routes = APIRouter()


@dataclass(slots=True, frozen=True)
class _PlacingForm:
    """What the agent makes of a mail."""

    placing: Annotated[Placing, Form()]
    number: Annotated[str, Line(40, 0), Form()] = ""
    reason: Annotated[Reason, Form()] = "other"


@routes.get("/agents/mails")
async def mails(session: SignedIn, database: ServiceDatabase, mail: SupportMailDep) -> Response:
    async with database.reading() as tx:
        now = tx.now
        rows = [(row, mail.mails.content(row)) for row in await waiting(tx)]
    return page("mails", session=session, now=now, rows=rows, why=WHY)


@routes.get("/agents/mails/{mail_id}")
async def show(
    mail_id: UUID, session: SignedIn, database: ServiceDatabase, mail: SupportMailDep, policies: PoliciesDep
) -> Response:
    async with database.transaction() as tx:
        await _record_view(tx, session, "mail_viewed", await mail_of(tx, mail_id))
    return await _mail_page(database, mail, policies, session, mail_id)


@routes.get("/agents/mails/{mail_id}/files/{number}")
async def file(
    mail_id: UUID,
    number: Annotated[Count, Path(le=LARGEST_INT)],
    session: SignedIn,
    database: ServiceDatabase,
    mail: SupportMailDep,
) -> Response:
    async with database.transaction() as tx:
        found = await mail.mails.file(tx, mail_id, number)
        if found is not None:
            await _record_view(tx, session, "file_viewed", await mail_of(tx, mail_id))
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-file", "This file is not kept.")
    kind, content = found
    headers = {
        "Content-Disposition": "inline" if kind in _SHOWN else f'attachment; filename="file-{number}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=kind, headers=headers)


@routes.post("/agents/mails/{mail_id}/place")
async def place(
    mail_id: UUID,
    session: Sending,
    database: ServiceDatabase,
    mail: SupportMailDep,
    policies: PoliciesDep,
    trace: RequestTrace,
    form: Annotated[_PlacingForm, Depends()],
) -> Response:
    try:
        async with database.transaction() as tx:
            order = await find_order(tx, form.number.strip(), None)
            case_id = await mail.place_by_agent(
                tx, mail_id, order, form.placing, form.reason, who=session.who, trace=trace
            )
    except UnknownOrderError:
        wrong = "No order of this number is known."
    except AlreadyRefundedError:
        wrong = "Everything that was paid for this order goes back already."
    except NotPaidError:
        wrong = "The order is not known to be paid."
    except (NotAllowedError, LimitError) as error:
        wrong = str(error)
    else:
        return redirect("/agents/mails" if case_id is None else f"/agents/cases/{case_id}")
    return await _mail_page(database, mail, policies, session, mail_id, wrong=wrong, typed=form, status=409)


@routes.post("/agents/mails/{mail_id}/dismiss")
async def dismiss(
    mail_id: UUID, session: Sending, database: ServiceDatabase, mail: SupportMailDep, policies: PoliciesDep
) -> Response:
    try:
        async with database.transaction() as tx:
            await mail.dismiss(tx, mail_id, session.who)
    except NotAllowedError as error:
        return await _mail_page(database, mail, policies, session, mail_id, wrong=str(error), status=409)
    return redirect("/agents/mails")


async def _record_view(tx: Tx, session: Session, what: str, row: Any) -> None:
    if row is not None:
        await write_entry(tx, session.who, what, row.order_id, mail_id=str(row.mail_id))


async def _mail_page(
    database: Database,
    mail: SupportMailDep,
    policies: PoliciesDep,
    session: Session,
    mail_id: UUID,
    *,
    wrong: str | None = None,
    typed: _PlacingForm | None = None,
    status: int = 200,
) -> Response:
    async with database.reading() as tx:
        row = await mail_of(tx, mail_id)
        if row is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-mail", "There is no e-mail of this id; it may be deleted.")
        files = await mail.mails.files(tx, mail_id)
        now = tx.now
    return page(
        "mail",
        status,
        session=session,
        now=now,
        zone=policies.calendar(row.storefront).zone,
        mail=row,
        content=mail.mails.content(row),
        files=files,
        why=WHY,
        reasons=get_args(Reason),
        wrong=wrong,
        typed=typed or _PlacingForm("refund", row.order_number or ""),
        placings=_PLACINGS,
    )
