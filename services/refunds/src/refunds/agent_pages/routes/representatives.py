"""The page of a representative: who acts for a buyer (PP 6.2), who confirmed it, and what ordering does upon it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from pydantic import ValidationError

from refunds.agent_pages.dependencies import Sending, SendingSupervisor, SessionsDep, SignedIn, acting_session
from refunds.agent_pages.models import Corrected, Effect, Export
from refunds.agent_pages.order_page import AUTHORITIES, IDENTIFIED_BY, OrderPagesDep
from refunds.agent_pages.rendering import page
from refunds.agent_pages.routes.contact import ContactFields, preview_page
from refunds.agent_pages.routes.order_actions import ActingDep, in_words
from refunds.cases import LimitError, NotAllowedError, find_order, write_entry
from refunds.representatives import OPEN_DAYS, ActOutcome, NewRepresentation, Representatives, acts_of, find, state_of
from refunds.support_mail.rules.file_types import EVIDENCE, file_of
from shared.contracts import Language
from shared.database import Tx
from shared.kernel.problems import Problem
from shared.kernel.services import Answer, NotAnsweredError
from shared.kernel.upload_forms import NoFormError, read_form
from shared.signin.rendering import redirect
from shared.signin.sessions import Session
from shared.values.identification import Authority, Identification, IdentifiedBy
from shared.values.moment import Day, Moment
from shared.values.text import Line

#: What ordering does upon a representation, and its name in the audit trail.
Kind = Literal["export", "block", "erase"]
_REQUESTED: Mapping[Kind, str] = {
    "export": "export_requested",
    "block": "block_requested",
    "erase": "erasure_requested",
}
_CORRECTION = "contact_change_requested"

routes = APIRouter(include_in_schema=False)


@dataclass(slots=True, frozen=True, kw_only=True)
class RepresentationForm:
    """Who acts for the buyer. Dates are of the documents; "" where there is none."""

    representative: Annotated[str, Line(200, 0), Form()] = ""
    by: Annotated[IdentifiedBy, Form()]
    document_date: Annotated[Day | Literal[""], Form()] = ""
    authority: Annotated[Authority, Form()]
    authority_date: Annotated[Day | Literal[""], Form()] = ""
    reference: Annotated[str, Line(60, 0), Form()] = ""

    def read(self) -> NewRepresentation | str:
        """What is recorded, or what is missing."""
        if not self.representative:
            return "Name the representative."
        try:
            identification = Identification(
                by=self.by,
                reference=self.reference,
                representative=True,
                authority=self.authority,
                document_date=self.document_date or None,
                authority_date=self.authority_date or None,
            )
        except ValidationError:
            return "The evidence is filed under a number of letters, digits, dots, slashes and hyphens."
        return NewRepresentation(self.representative, identification)


async def _representatives(request: Request) -> Representatives:
    representatives: Representatives = request.app.state.representatives
    return representatives


@dataclass(slots=True, frozen=True)
class _Pages:
    """Renders the page of a representation, and does what its forms say."""

    orders: OrderPagesDep
    representatives: Annotated[Representatives, Depends(_representatives)]

    async def show(
        self,
        session: Session,
        representation_id: UUID,
        *,
        wrong: str | None = None,
        typed: Mapping[str, Any] | None = None,
        status: int = 200,
    ) -> Response:
        """The page; 404 where there is none. Who has opened it is in the audit trail."""
        async with self.orders.database.transaction() as tx:
            row = await _found(tx, representation_id)
            name, files = await self.representatives.name_and_files(tx, representation_id)
            done = await acts_of(tx, representation_id)
            state = state_of(row, tx.now)
            if wrong is None:
                viewed = str(representation_id)
                await write_entry(tx, session.who, "representation_viewed", row.order_id, representation=viewed)
        shows = state in ("waiting", "confirmed")
        effects = await self._effects(session, row) if shows else {}
        return page(
            "representation",
            status,
            session=session,
            zone=self.orders.policies.calendar(row.storefront).zone,
            row=row,
            state=state,
            name=name,
            files=files,
            identification=_identification(row),
            acts_done=done,
            effects=effects,
            wrong=wrong,
            typed=typed or asdict(ContactFields()),
            languages=get_args(Language),
            identified_by=IDENTIFIED_BY,
            authorities=AUTHORITIES,
            open_days=OPEN_DAYS,
        )

    async def change(
        self, session: Session, representation_id: UUID, action: Callable[[Tx], Awaitable[None]]
    ) -> Response:
        """Change the representation itself; 409 says why it is not allowed."""
        try:
            async with self.orders.database.transaction() as tx:
                await action(tx)
        except (NotAllowedError, LimitError) as error:
            return await self.show(session, representation_id, wrong=str(error), status=409)
        return redirect(f"/agents/representations/{representation_id}")

    async def carry_out(
        self, session: Session, representation_id: UUID, what: str, request: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        """Have ordering do something upon it; `request` gets the row. Returns its answer, or a page that says why not.

        The audit trail has an entry before it is done, and one where it is not.
        """
        database = self.orders.database
        try:
            async with database.transaction() as tx:
                row = await self.representatives.use(tx, representation_id, session.who, what)
        except NotAllowedError as error:
            return await self.show(session, representation_id, wrong=str(error), status=409)
        outcome: ActOutcome = "done"
        try:
            answer = await request(row)
        except NotAnsweredError as error:
            outcome = "unknown" if error.unknown else "refused"
            answer = in_words("ordering", error)
        async with database.transaction() as tx:
            await self.representatives.record_act(tx, row, session.who, what, outcome)
        if outcome != "done":
            return await self.show(session, representation_id, wrong=answer, status=409)
        return answer

    async def _effects(self, session: Session, row: Any) -> dict[Kind, Answer[Effect]]:
        kinds = get_args(Kind)
        effects = await asyncio.gather(*(self._effect(session, row, kind) for kind in kinds))
        return dict(zip(kinds, effects, strict=True))

    async def _effect(self, session: Session, row: Any, kind: Kind) -> Answer[Effect]:
        body = {"kind": kind, "identified": row.identification, "dry_run": True}
        path = f"/orders/{row.order_id}/privacy-requests"
        try:
            effect = await self.orders.services.change("ordering", Effect, path, body, session.name, self.orders.trace)
        except NotAnsweredError as error:
            return Answer("ordering", None, error.detail or str(error))
        return Answer("ordering", effect)


PagesDep = Annotated[_Pages, Depends()]


@routes.post("/agents/orders/{order_id}/representations")
async def record(
    order_id: UUID,
    session: Sending,
    pages: PagesDep,
    form: Annotated[RepresentationForm, Depends()],
    key: Annotated[UUID, Form()],
) -> Response:
    """`key`: of the form, so that it is recorded once."""
    new = form.read()
    if isinstance(new, str):
        typed = {"representation": {name: str(value) for name, value in asdict(form).items()}}
        return await pages.orders.show(session, order_id, wrong=new, typed=typed, status=422)
    async with pages.orders.database.transaction() as tx:
        order = await find_order(tx, str(order_id), None)
        await pages.representatives.record(tx, order, key, new, session.who, pages.orders.trace)
    return redirect(f"/agents/representations/{key}")


@routes.get("/agents/representations/{representation_id}")
async def show(representation_id: UUID, session: SignedIn, pages: PagesDep) -> Response:
    return await pages.show(session, representation_id)


@routes.post("/agents/representations/{representation_id}/evidence")
async def add_evidence(
    representation_id: UUID, viewing: SignedIn, sessions: SessionsDep, pages: PagesDep, request: Request
) -> Response:
    """Files are read into memory and sealed: they are on no disk as they came."""
    try:
        form = await read_form(request)
    except NoFormError:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "This is no form with files.") from None
    if form.too_large:
        return await pages.show(viewing, representation_id, wrong="Files of 10 MiB together are kept.", status=413)
    session = await acting_session(request, sessions, form.fields.get("csrf", ""))
    files = [file_of(name, content, 0) for name, content in form.files]
    if not files or any(file.refusal for file in files):
        kinds = ", ".join(sorted(EVIDENCE))
        wrong = f"Nothing was kept: each file has to be one of {kinds}."
        return await pages.show(session, representation_id, wrong=wrong, status=415)

    async def action(tx: Tx) -> None:
        await pages.representatives.add_evidence(tx, representation_id, files, session.who)

    return await pages.change(session, representation_id, action)


@routes.post("/agents/representations/{representation_id}/decision")
async def decide(
    representation_id: UUID,
    session: SendingSupervisor,
    pages: PagesDep,
    decision: Annotated[Literal["confirm", "reject"], Form()],
) -> Response:
    async def action(tx: Tx) -> None:
        await pages.representatives.decide(tx, representation_id, session.who, confirmed=decision == "confirm")

    return await pages.change(session, representation_id, action)


@routes.post("/agents/representations/{representation_id}/end")
async def end(representation_id: UUID, session: Sending, pages: PagesDep) -> Response:
    async def action(tx: Tx) -> None:
        await pages.representatives.end(tx, representation_id, session.who)

    return await pages.change(session, representation_id, action)


@routes.post("/agents/representations/{representation_id}/acts/{kind}")
async def act(
    representation_id: UUID,
    kind: Kind,
    session: Sending,
    pages: PagesDep,
    effect: Annotated[str, Line(64, 1), Form()],
) -> Response:
    """`effect`: as the page showed it; ordering refuses where it would be another one now."""
    services, trace = pages.orders.services, pages.orders.trace

    async def request(row: Any) -> tuple[Effect, Export | None]:
        body = {"kind": kind, "identified": row.identification, "effect": effect}
        path = f"/orders/{row.order_id}/privacy-requests"
        taken = await services.change("ordering", Effect, path, body, session.name, trace)
        if kind != "export":
            return taken, None
        path = f"/privacy/requests/{taken.request_id}/export"
        return taken, await services.collect("ordering", Export, path, trace)

    answer = await pages.carry_out(session, representation_id, _REQUESTED[kind], request)
    if isinstance(answer, Response):
        return answer
    taken, export = answer
    if export is None:
        return redirect(f"/agents/representations/{representation_id}#done")
    values: dict[str, Any] = {"representation_id": representation_id, "orders": taken.orders, "export": export.root}
    return page("export", session=session, **values)


@routes.post("/agents/representations/{representation_id}/contact/preview")
async def preview_contact(
    representation_id: UUID, form: Annotated[ContactFields, Depends()], acting: ActingDep, pages: PagesDep
) -> Response:
    async with pages.orders.database.reading() as tx:
        row = await _found(tx, representation_id)
    at = f"/agents/representations/{representation_id}"
    identified = _identification(row)
    how = f"{IDENTIFIED_BY[identified.by]}; acts upon {_authority(identified)}; filed under {identified.reference}"
    body = {**form.values(), "identified": row.identification}
    shown = await preview_page(acting, row.order_id, form, body, action=f"{at}/contact", back=at, how=how)
    if isinstance(shown, str):
        return await pages.show(acting.session, representation_id, wrong=shown, typed=asdict(form), status=409)
    return shown


@routes.post("/agents/representations/{representation_id}/contact")
async def correct_contact(
    representation_id: UUID,
    form: Annotated[ContactFields, Depends()],
    session: Sending,
    pages: PagesDep,
    contact_at: Annotated[Moment, Form()],
) -> Response:
    """`contact_at`: of the contact that the preview showed; ordering refuses where it has changed since."""

    async def request(row: Any) -> Corrected:
        body = {**form.values(), "identified": row.identification, "contact_at": contact_at.isoformat()}
        path = f"/orders/{row.order_id}/contact"
        return await pages.orders.services.change(
            "ordering", Corrected, path, body, session.name, pages.orders.trace, method="PUT"
        )

    answer = await pages.carry_out(session, representation_id, _CORRECTION, request)
    return answer if isinstance(answer, Response) else redirect(f"/agents/representations/{representation_id}#done")


async def _found(tx: Tx, representation_id: UUID) -> Any:
    row = await find(tx, representation_id)
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-representation", "There is no representation of this id.")
    return row


def _identification(row: Any) -> Identification:
    return Identification.model_validate(row.identification)


def _authority(identified: Identification) -> str:
    return "" if identified.authority is None else AUTHORITIES[identified.authority]
