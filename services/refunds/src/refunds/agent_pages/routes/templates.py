"""Templates of answers, by shop and language: everybody reads them, supervisors write them."""

from typing import Annotated, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from refunds.agent_pages.dependencies import SendingSupervisor, SignedIn
from refunds.agent_pages.rendering import page
from refunds.cases import write_entry
from refunds.dependencies import ShopsDep
from refunds.support_answers import (
    PLACEHOLDERS,
    TemplateError,
    add_template,
    change_template,
    check,
    template,
    templates_of,
)
from shared.contracts import Language
from shared.database import Database
from shared.ids import uuid7
from shared.kernel.dependencies import ServiceDatabase
from shared.shops.reading import Shops
from shared.signin.rendering import redirect
from shared.signin.sessions import Session
from shared.values.moment import Moment
from shared.values.text import Line, Lines

routes = APIRouter()


@routes.get("/agents/templates")
async def templates(session: SignedIn, database: ServiceDatabase, shops: ShopsDep) -> Response:
    return await _page(session, database, shops)


@routes.post("/agents/templates")
async def add(
    session: SendingSupervisor,
    database: ServiceDatabase,
    shops: ShopsDep,
    key: Annotated[UUID, Form()],
    storefront: Annotated[str, Line(64, 1), Form()],
    language: Annotated[Language, Form()],
    name: Annotated[str, Line(60, 0), Form()] = "",
    text: Annotated[str, Lines(4000, 0), Form()] = "",
) -> Response:
    typed = {"storefront": storefront, "language": language, "name": name, "text": text}
    wrong = _wrong(text) or (None if name.strip() else "Give the template a name.")
    if shops.get(storefront) is None:
        wrong = "There is no such shop."
    if wrong is not None:
        return await _page(session, database, shops, wrong=wrong, typed=typed, status=422)
    async with database.transaction() as tx:
        added = await add_template(tx, key, session.who, storefront, language, name.strip(), text.strip())
        if added:
            await write_entry(tx, session.who, "template_added", template=str(key), storefront=storefront)
    if not added:
        wrong = "The shop has a template of this name in this language. Change that one."
        return await _page(session, database, shops, wrong=wrong, typed=typed, status=409)
    return redirect("/agents/templates")


@routes.post("/agents/templates/{template_id}")
async def change(
    template_id: UUID,
    session: SendingSupervisor,
    database: ServiceDatabase,
    shops: ShopsDep,
    was: Annotated[Moment, Form()],
    action: Annotated[Literal["change", "delete"], Form()],
    text: Annotated[str, Lines(4000, 0), Form()] = "",
) -> Response:
    """`was`: when it had changed last as the page showed it; of two supervisors the second loses no text."""
    new = None if action == "delete" else text.strip()
    typed = {"changed": str(template_id), "text": text}
    if new is not None and (wrong := _wrong(new)) is not None:
        return await _page(session, database, shops, wrong=wrong, typed=typed, status=422)
    async with database.transaction() as tx:
        changed = await change_template(tx, template_id, session.who, new, was)
        if changed:
            what = "template_deleted" if new is None else "template_changed"
            await write_entry(tx, session.who, what, template=str(template_id))
        row = await template(tx, template_id)
    if not changed:
        who = "deleted" if row is None else f"changed by {row.changed_by.partition(':')[2]}"
        wrong = f"Nothing was done: the template was {who} since you opened the page."
        return await _page(session, database, shops, wrong=wrong, typed=typed, status=409)
    return redirect("/agents/templates")


def _wrong(text: str) -> str | None:
    if not text.strip():
        return "Write a text."
    try:
        check(text)
    except TemplateError as error:
        return str(error)
    return None


async def _page(
    session: Session,
    database: Database,
    shops: Shops,
    *,
    wrong: str | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    async with database.reading() as tx:
        rows = await templates_of(tx)
    return page(
        "templates",
        status,
        session=session,
        rows=rows,
        shops=sorted(shops),
        languages=get_args(Language),
        placeholders=PLACEHOLDERS,
        fresh_key=uuid7(),
        wrong=wrong,
        typed={"storefront": "", "language": "", "name": "", "text": "", "changed": ""} | (typed or {}),
    )
