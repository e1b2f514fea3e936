"""Unsubscribing from newsletters: one click, without signing in (RFC 8058).

Opening the page changes nothing, for scanners open links too; the button, or the mail program's own, does.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from notifications.emails import Links, Storefront, environment, texts, written
from notifications.newsletters import store as newsletters
from notifications.pages import SAFE_HEADERS, LinkToken, render_bad_link
from shared.database import Database

_READER = """
SELECT c.storefront, c.language, s.buyer_id IS NOT NULL AS suppressed
FROM contacts c LEFT JOIN newsletter_suppressions s USING (buyer_id) WHERE c.buyer_id = :buyer AND c.erased_at IS NULL
"""
_AGAIN = "DELETE FROM newsletter_suppressions WHERE buyer_id = :buyer"


def router(database: Database, links: Links, storefronts: Mapping[str, Storefront]) -> APIRouter:
    """The route; a link that is not ours is answered like any other (404)."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/unsubscribe/{token}")
    async def ask(token: LinkToken) -> HTMLResponse:
        return await _page(links.unsubscriber(token), token)

    @routes.post("/unsubscribe/{token}")
    async def unsubscribe(token: LinkToken, request: Request) -> HTMLResponse:
        buyer = links.unsubscriber(token)
        again = "again" in parse_qs((await request.body()).decode("utf-8", "replace"))
        async with database.transaction("http") as tx:
            if again:
                await tx.execute(_AGAIN, buyer=buyer)
            else:
                await newsletters.suppress(tx, [buyer], "unsubscribed")
        return await _page(buyer, token)

    async def _page(buyer: UUID, token: str) -> HTMLResponse:
        async with database.reading() as tx:
            row = (await tx.execute(_READER, buyer=buyer)).one_or_none()
        store = storefronts.get(row.storefront or "") if row is not None else None
        if row is None or store is None:
            return HTMLResponse(render_bad_link("gone"), headers=SAFE_HEADERS)
        language = written(row.language)
        html = (
            environment("html")
            .get_template("unsubscribe.html.j2")
            .render(
                language=language,
                t=texts(language)["newsletter"],
                state="done" if row.suppressed else "ask",
                store=store,
                storefront=row.storefront,
                path=f"/unsubscribe/{token}",
            )
        )
        return HTMLResponse(html, headers=SAFE_HEADERS)

    return routes
