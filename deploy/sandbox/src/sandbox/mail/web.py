"""The mail catcher's web page and JSON interface below /mail."""

import base64
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox.mail.parse import Attachment, ParsedMail, parse, with_local_images
from sandbox.mail.store import MailEntry
from sandbox.serving import stands

PAGE_SIZE = 100
CLOSED = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox allow-popups"


def mail_router() -> APIRouter:
    """The routes of the mail page."""
    router = APIRouter(prefix="/mail", tags=["mail"])
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    _json_routes(router)
    _page_routes(router, templates)
    _part_routes(router)
    return router


def _json_routes(router: APIRouter) -> None:
    @router.get("/api/messages")
    async def list_messages(
        to: str = "",
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=100_000)] = 100,
    ) -> dict[str, Any]:
        """Oldest first; `after` is the id of the last one already seen."""
        found = list(islice(stands().mails.after(after, to), limit))
        return {"messages": [_summary(entry) for entry in found], "count": len(found)}

    @router.get("/api/messages/{mail_id}")
    async def get_message(mail_id: int) -> dict[str, Any]:
        entry, parsed = _find(mail_id)
        return _summary(entry) | {
            "headers": [list(header) for header in parsed.headers],
            "text": parsed.text,
            "html": parsed.html,
            "attachments": [attachment.as_json() for attachment in parsed.attachments],
        }


def _page_routes(router: APIRouter, templates: Environment) -> None:
    @router.get("", include_in_schema=False)
    @router.get("/", include_in_schema=False)
    async def list_page(to: str = "", page: Annotated[int, Query(ge=1)] = 1) -> Response:
        start = (page - 1) * PAGE_SIZE
        found = list(islice(stands().mails.newest_first(to), start, start + PAGE_SIZE + 1))
        html = templates.get_template("list.html").render(
            mails=found[:PAGE_SIZE], to=to, page=page, more=len(found) > PAGE_SIZE, counts=stands().mails.counts()
        )
        return _html(html)

    @router.get("/{mail_id}", include_in_schema=False)
    async def show_page(mail_id: int) -> Response:
        entry, parsed = _find(mail_id)
        newer, older = stands().mails.get(mail_id + 1), stands().mails.get(mail_id - 1)
        html = templates.get_template("message.html").render(
            mail=entry,
            parsed=parsed,
            pictures=[_picture(one) for one in parsed.attachments],
            newer=newer.id if newer else None,
            older=older.id if older else None,
        )
        return _html(html)


def _part_routes(router: APIRouter) -> None:
    @router.get("/{mail_id}/html", include_in_schema=False)
    async def html_part(mail_id: int) -> Response:
        _entry, parsed = _find(mail_id)
        html = with_local_images(parsed.html, f"/mail/{mail_id}/cid")
        return Response(html, media_type="text/html", headers={"content-security-policy": CLOSED})

    @router.get("/{mail_id}/raw", include_in_schema=False)
    async def raw_mail(mail_id: int) -> Response:
        raw = stands().mails.raw(mail_id)
        if raw is None:
            raise HTTPException(404, "no such mail")
        return Response(raw, media_type="text/plain; charset=utf-8", headers={"x-content-type-options": "nosniff"})

    @router.get("/{mail_id}/cid/{content_id:path}", include_in_schema=False)
    async def inline_part(mail_id: int, content_id: str) -> Response:
        _entry, parsed = _find(mail_id)
        return _part(next((one for one in parsed.attachments if one.content_id == content_id), None))

    @router.get("/{mail_id}/part/{number}", include_in_schema=False)
    async def numbered_part(mail_id: int, number: int) -> Response:
        _entry, parsed = _find(mail_id)
        parts = parsed.attachments
        return _part(parts[number] if 0 <= number < len(parts) else None)


def _find(mail_id: int) -> tuple[MailEntry, ParsedMail]:
    entry, raw = stands().mails.get(mail_id), stands().mails.raw(mail_id)
    if entry is None:
        raise HTTPException(404, "no such mail")
    if raw is None:
        raise HTTPException(410, "the body of this mail has been let go; only the ledger remembers it")
    return entry, parse(raw)


def _summary(entry: MailEntry) -> dict[str, Any]:
    return entry.model_dump(by_alias=True, exclude={"offset"})


def _part(part: Attachment | None) -> Response:
    if part is None:
        raise HTTPException(404, "no such part")
    safe = part.content_type.startswith("image/")
    return Response(
        part.content,
        media_type=part.content_type if safe else "application/octet-stream",
        headers={"content-security-policy": CLOSED, "x-content-type-options": "nosniff"},
    )


def _picture(part: Attachment) -> str:
    if not part.content_type.startswith("image/"):
        return ""
    return f"data:{part.content_type};base64,{base64.b64encode(part.content).decode()}"


def _html(page: str) -> Response:
    return Response(page, media_type="text/html; charset=utf-8", headers={"cache-control": "no-store"})
