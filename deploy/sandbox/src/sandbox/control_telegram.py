"""Control of Telegram: people write to bots, block them; and the chats as they stand."""

import base64
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox.listing import listing
from sandbox.serving import stands


class Written(BaseModel):
    """A person writes to a bot. `fields` are laid over the update."""

    model_config = ConfigDict(extra="forbid")

    bot: str
    chat: int
    text: str = ""
    language: str = "en"
    fields: dict[str, Any] = Field(default_factory=dict)


class Uploaded(BaseModel):
    """A file that a person sends: `content` as base64."""

    model_config = ConfigDict(extra="forbid")

    file_id: str
    content: str


class Blocking(BaseModel):
    """A person blocks a bot, or lets it write again."""

    model_config = ConfigDict(extra="forbid")

    bot: str
    chat: int
    blocked: bool = True


def telegram_routes(router: APIRouter) -> None:
    """Add the routes below /telegram, and the ledger."""

    @router.post("/telegram/message")
    async def write(request: Written) -> dict[str, Any]:
        try:
            answers = await stands().telegram.write(
                request.bot, request.chat, request.text, language=request.language, fields=request.fields
            )
        except LookupError as error:
            raise HTTPException(409, str(error)) from error
        return {"answers": answers}

    @router.put("/telegram/file")
    async def upload(request: Uploaded) -> dict[str, str]:
        stands().telegram.ledger.files[request.file_id] = base64.b64decode(request.content)
        return {"file_id": request.file_id}

    @router.put("/telegram/blocked")
    async def block(request: Blocking) -> dict[str, bool]:
        pair = (request.bot, request.chat)
        (stands().telegram.ledger.blocked.add if request.blocked else stands().telegram.ledger.blocked.discard)(pair)
        return {"blocked": request.blocked}

    @router.get("/ledger/telegram")
    async def ledger(since: int = 0) -> Response:
        book = stands().telegram.ledger.book
        return listing("messages", book.since(since), {"seq": str(book.seq)})
