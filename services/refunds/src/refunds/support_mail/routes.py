"""HTTP: `POST /support-mails/{storefront}`, where a mail provider hands in what arrives for a shop."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from refunds.support_mail.metrics import MailMetrics
from refunds.support_mail.service import Arrived, Outcome, SupportMail
from shared.kernel.auth import ApiKeys, KeyHolder
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.opaque import Named

#: Large mails that are read at once.
_AT_ONCE = 2


@dataclass(slots=True, frozen=True)
class MailWebhook:
    """What the endpoint uses. `keys`: by storefront, what its provider shows."""

    mail: SupportMail
    keys: ApiKeys
    metrics: MailMetrics
    reading: asyncio.Semaphore

    @classmethod
    def of(cls, mail: SupportMail, keys: ApiKeys, metrics: MailMetrics) -> "MailWebhook":
        """The endpoint's own, with a limit of what it reads at once."""
        return cls(mail, keys, metrics, asyncio.Semaphore(_AT_ONCE))


class Taken(BaseModel):
    """What became of the mail. `repeated`: it had been taken before, and nothing changed."""

    outcome: Outcome


def _webhook(request: Request) -> MailWebhook:
    webhook: MailWebhook = request.app.state.mail_webhook
    return webhook


async def _context(request: Request) -> MailWebhook:
    return _webhook(request)


Context = Annotated[MailWebhook, Depends(_context)]
Provider = Annotated[str, Depends(KeyHolder("mail-provider", lambda request: _webhook(request).keys))]

routes = APIRouter(tags=["mail"])


@routes.post("/support-mails/{storefront}")
async def take(
    storefront: Named,
    request: Request,
    context: Context,
    provider: Provider,
    database: ServiceDatabase,
    trace: RequestTrace,
) -> Taken:
    """Take a mail as it arrived (`message/rfc822`). Answered once it is stored: until then, hand it in again."""
    if provider != storefront:
        raise Problem(HTTPStatus.NOT_FOUND, "no-mailbox", "This key belongs to no mailbox of this storefront.")
    async with context.reading:
        raw = await request.body()
        if not raw:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no-mail", "The body is empty; send the whole message.")
        arrived = Arrived(storefront, "webhook", raw)
        mail = await context.mail.read(arrived)
        async with database.transaction("support_mail") as tx:
            outcome = await context.mail.take(tx, arrived, mail, trace)
    context.metrics.mails.labels(storefront, outcome).inc()
    return Taken(outcome=outcome)
