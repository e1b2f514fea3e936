"""Mails that were accepted and come back: delivery status notifications (RFC 3464), handed to the shop over HTTP."""

import asyncio
import logging
from email.utils import formatdate, make_msgid
from urllib.parse import quote

import httpx

from sandbox.faults import Rule
from sandbox.outward import new_client
from sandbox.settings import Settings

logger = logging.getLogger(__name__)
_FIRST_PAUSE, _ATTEMPTS = 0.2, 8
_HOST = "mail.sandbox.example"
_USUAL = {True: "550 5.1.1 No such user here", False: "452 4.2.2 The mailbox is full"}
_PERMANENT = 500
_MOST_QUOTED = 8000


class Bouncer:
    """Writes notifications to envelope senders, as a mail server does that finds out later."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.mail_bounce_url
        self._key = settings.mail_bounce_key
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None

    def point(self, url: str, key: str) -> None:
        """Hand bounces in there from now on."""
        self._url, self._key = url, key

    def bounce(self, sender: str, recipient: str, raw: bytes, rule: Rule) -> None:
        """Return a mail to its envelope sender; nobody writes to the null sender (RFC 5321 section 4.5.5)."""
        if not sender or not self._url:
            return
        final = (rule.status or rule.code or _PERMANENT) >= _PERMANENT
        words = f"{rule.status or rule.code} {rule.message}" if rule.message else _USUAL[final]
        notification = _notification(sender, recipient, words, raw, final=final)
        task = asyncio.create_task(self._hand_in(sender, notification, rule.seconds if rule.seconds != 1 else 0.0))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Return when nothing is on its way back any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _hand_in(self, sender: str, notification: bytes, seconds: float) -> None:
        if self._client is None:
            self._client = new_client(timeout=10.0)
        await asyncio.sleep(seconds)
        pause = _FIRST_PAUSE
        headers = {"content-type": "message/rfc822", "authorization": f"Bearer {self._key}"}
        for _ in range(_ATTEMPTS):
            try:
                answer = await self._client.post(
                    f"{self._url}?recipient={quote(sender)}", content=notification, headers=headers
                )
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code < _PERMANENT:
                return
            await asyncio.sleep(pause)
            pause *= 2
        logger.warning("a bounce was given up")


def _notification(sender: str, recipient: str, words: str, raw: bytes, *, final: bool) -> bytes:
    """As Postfix writes it."""
    status = next((part for part in words.split() if part.count(".") == 2), "5.0.0" if final else "4.0.0")  # noqa: PLR2004 - x.y.z
    head = raw.partition(b"\r\n\r\n")[0][:_MOST_QUOTED]
    lines = [
        "Return-Path: <>",
        f"Date: {formatdate()}",
        f"Message-ID: {make_msgid(domain=_HOST)}",
        f"From: Mail Delivery System <MAILER-DAEMON@{_HOST}>",
        f"To: {sender}",
        "Subject: " + ("Undelivered Mail Returned to Sender" if final else "Delayed Mail (still being retried)"),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="bounce"',
        "",
        "--bounce",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"This is the mail system at host {_HOST}.",
        "",
        "--bounce",
        "Content-Type: message/delivery-status",
        "",
        f"Reporting-MTA: dns; {_HOST}",
        "",
        f"Final-Recipient: rfc822; {recipient}",
        f"Action: {'failed' if final else 'delayed'}",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {words}",
        "",
        "--bounce",
        "Content-Type: text/rfc822-headers",
        "",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + head + b"\r\n\r\n--bounce--\r\n"
