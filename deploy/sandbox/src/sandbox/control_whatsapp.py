"""Control of WhatsApp: people write to numbers; webhooks are connected; and the chats as they stand."""

import base64
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox.listing import listing
from sandbox.serving import stands


class Connecting(BaseModel):
    """The owner of a number sets its webhook."""

    model_config = ConfigDict(extra="forbid")

    number: str
    url: str


class Written(BaseModel):
    """A person writes to a number. `file`: base64; `fields` are laid over the message."""

    model_config = ConfigDict(extra="forbid")

    number: str
    wa_id: str
    text: str = ""
    file: str | None = None
    announced_size: int | None = None
    fields: dict[str, Any] = Field(default_factory=dict)


class Reaching(BaseModel):
    """Who cannot be reached any more, and how long the window is."""

    model_config = ConfigDict(extra="forbid")

    number: str = ""
    blocked: str | None = None
    window_seconds: float | None = None


def whatsapp_routes(router: APIRouter) -> None:
    """Add the routes below /whatsapp, and the ledger."""

    @router.put("/whatsapp/webhook")
    async def connect(request: Connecting) -> dict[str, bool]:
        if not await stands().whatsapp.connect(request.number, request.url):
            raise HTTPException(409, "the address did not answer with the challenge")
        return {"connected": True}

    @router.post("/whatsapp/message")
    async def write(request: Written) -> dict[str, Any]:
        file = None if request.file is None else base64.b64decode(request.file)
        try:
            answers = await stands().whatsapp.write(
                request.number,
                request.wa_id,
                request.text,
                file=file,
                announced_size=request.announced_size,
                fields=request.fields,
            )
        except LookupError as error:
            raise HTTPException(409, str(error)) from error
        return {"answers": answers}

    @router.put("/whatsapp/reaching")
    async def reach(request: Reaching) -> dict[str, float]:
        whatsapp = stands().whatsapp
        if request.blocked is not None:
            whatsapp.ledger.blocked.add((request.number, request.blocked))
        if request.window_seconds is not None:
            whatsapp.window_seconds = request.window_seconds
        return {"window_seconds": whatsapp.window_seconds}

    @router.get("/ledger/whatsapp")
    async def ledger(since: int = 0) -> Response:
        book = stands().whatsapp.ledger.book
        return listing("messages", book.since(since), {"seq": str(book.seq)})
