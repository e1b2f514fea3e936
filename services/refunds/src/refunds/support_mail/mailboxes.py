"""Reads the shops' mailboxes: fetches each mail, takes it in one transaction, and marks it only after the commit.

A process that ends in between fetches the mail again, and it is known by then. Several instances may read one mailbox.
"""

import asyncio
from datetime import timedelta

from refunds.clients.imap import ImapMailbox, MailboxUnavailableError
from refunds.settings import MailboxAccount
from refunds.support_mail.metrics import MailMetrics
from refunds.support_mail.service import Arrived, SupportMail, is_too_large
from shared.database import Database
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Less than the supervision allows for a step.
_WAIT_SECONDS = 15.0
_AGAIN_SECONDS = 10.0
_AT_ONCE = 0.0


class MailboxReader:
    """The loop of one mailbox. A mailbox that cannot be read is shown and tried again; the service works on."""

    def __init__(
        self, storefront: str, account: MailboxAccount, mail: SupportMail, database: Database, metrics: MailMetrics
    ) -> None:
        self._storefront = storefront
        self._days = timedelta(days=account.days)
        self._box = ImapMailbox(account)
        self._mail = mail
        self._database = database
        self._metrics = metrics

    async def run(self, loop: Loop) -> None:
        """Run until cancelled."""
        try:
            await loop.repeat(lambda: self._step(loop), _AT_ONCE, "support_mailbox_failed")
        finally:
            self._box.close()

    async def _step(self, loop: Loop) -> float | None:
        """Take what is there, then wait for more."""
        readable = self._metrics.readable.labels(self._storefront)
        try:
            await asyncio.to_thread(self._box.connect)
            today = self._database.clock.now().date()
            for uid in await asyncio.to_thread(self._box.untaken, today - self._days):
                await self._take(uid)
                loop.progress()
            readable.set(1)
            loop.progress()
            await asyncio.to_thread(self._box.wait, _WAIT_SECONDS)
        except MailboxUnavailableError as error:
            readable.set(0)
            log.warning("support_mailbox_unreadable", storefront=self._storefront, reason=str(error))
            return _AGAIN_SECONDS
        return None

    async def _take(self, uid: int) -> None:
        """Take one mail. What fails is counted, stays unmarked, and is tried again in the next round."""
        envelope = await asyncio.to_thread(self._box.envelope, uid)
        if envelope is None:
            return
        large = is_too_large(envelope.size)
        raw = await asyncio.to_thread(self._box.fetch, uid, head_only=large)
        if raw is None:
            return
        arrived = Arrived(self._storefront, "imap", raw, envelope.received_at, too_large=large)
        try:
            mail = await self._mail.read(arrived)
            async with self._database.transaction("support_mail") as tx:
                outcome: str = await self._mail.take(tx, arrived, mail, None)
        except Exception:  # of any class: one mail that fails does not keep the others from being read
            self._metrics.mails.labels(self._storefront, "failed").inc()
            log.exception("support_mail_failed", storefront=self._storefront, uid=uid)
            return
        self._metrics.mails.labels(self._storefront, outcome).inc()
        await asyncio.to_thread(self._box.mark_taken, uid)
