"""Control of the mail provider: messages arrive in mailboxes; and the mailboxes as they stand."""

import base64
import binascii
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict

from sandbox.listing import listing
from sandbox.serving import stands


class Arriving(BaseModel):
    """A message arrives. `raw`: base64 of it, as the provider's server has received it."""

    model_config = ConfigDict(extra="forbid")

    mailbox: str
    raw: str


def imap_routes(router: APIRouter) -> None:
    """Add the routes below /imap, and the ledger."""

    @router.post("/imap/messages", status_code=201)
    async def arrive(request: Arriving) -> dict[str, Any]:
        try:
            raw = base64.b64decode(request.raw, validate=True)
        except binascii.Error as error:
            raise HTTPException(422, "raw is base64 of the message") from error
        return {"uid": stands().imap.arrive(request.mailbox, raw).uid}

    @router.get("/ledger/imap")
    async def ledger(since: int = 0) -> Response:
        book = stands().imap.book
        return listing("messages", book.since(since), {"seq": str(book.seq)})
