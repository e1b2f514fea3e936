"""SMTP through a few connections that stay open (RFC 5321).

What matters is which reply is missing: before the data nothing can have been accepted; after them nobody knows.

A connection on which the server said more than it was asked is closed: from then on every reply would be taken for the
answer to the next question, about somebody else's mailbox. aiosmtplib keeps such words and reads them first.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import normalize_message_line_endings

from notifications.clients.mail import Accepted, Answer, Mail, NotNow, Refused, Uncertain, is_refusal, refusal

_NO_UTF8 = Refused(553, "5.6.7")
_UTF8_OPTIONS = ("SMTPUTF8", "BODY=8BITMIME")
_FAREWELL_SECONDS = 1.0
_LOST = (SMTPException, OSError, TimeoutError, EOFError)
_SEND_DATA, _DONE = 354, range(200, 300)
_DOT = re.compile(rb"(?m)^\.")


class _OutOfStepError(SMTPException):
    """The server said something that nobody had asked for."""


class SmtpMailer:
    """A pool of connections. `connect` makes an unconnected client; a lost one is replaced when it is needed."""

    def __init__(self, client: Callable[[], SMTP], *, connections: int, final_timeout_seconds: float) -> None:
        self._clients = [client() for _ in range(connections)]
        # The one used last is used next: at low load the others are let go by the server, and nothing waits for them.
        self._free: asyncio.LifoQueue[SMTP] = asyncio.LifoQueue()
        for one in self._clients:
            self._free.put_nowait(one)
        self._final_timeout_seconds = final_timeout_seconds

    async def send(self, mail: Mail) -> Answer:
        """Compose beside the event loop, then hand over."""
        content = await asyncio.to_thread(mail.compose)
        client = await self._free.get()
        try:
            return await self._send(client, mail, content)
        except BaseException:
            client.close()  # in the middle of a dialogue: nobody can use this connection any more
            raise
        finally:
            self._free.put_nowait(client)

    async def _send(self, client: SMTP, mail: Mail, content: bytes) -> Answer:
        reused = client.is_connected
        problem = await self._envelope(client, mail)
        if problem is _GONE and reused:  # the server had let this connection go
            problem = await self._envelope(client, mail)
        return problem or await self._hand_over(client, content)

    async def _hand_over(self, client: SMTP, content: bytes) -> Answer:
        """The data, after the server has asked for them, and its final reply (RFC 5321 section 4.2: 2yz is success)."""
        protocol = client.protocol
        if protocol is None:
            return _GONE
        try:
            protocol.write(_DOT.sub(b"..", normalize_message_line_endings(content)) + b".\r\n")
            reply = await protocol.read_response(timeout=self._final_timeout_seconds)
        except SMTPResponseException:
            client.close()
            return Uncertain("the final reply made no sense")
        except _LOST as error:
            client.close()
            return Uncertain(f"no final reply: {type(error).__name__}")
        known = reply.code in _DONE or is_refusal(reply.code)
        if not known or _said_more(client):
            client.close()
        if reply.code in _DONE:
            return Accepted()
        if not known:
            return Uncertain("the final reply made no sense")
        return refusal(reply.code, reply.message, stage="data", final=True)

    async def _envelope(self, client: SMTP, mail: Mail) -> Refused | NotNow | None:
        """Everything before the data; None when the server wants them."""
        stage = "connect"
        if _said_more(client):
            client.close()
        try:
            if not client.is_connected:
                await _connect(client)
                _in_step(client)
            options: tuple[str, ...] = ()
            encoding = "ascii"
            if mail.to.needs_utf8:
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
                if not client.supports_extension("smtputf8"):
                    return _NO_UTF8
                options, encoding = _UTF8_OPTIONS, "utf-8"
            stage = "sender"
            await client.mail(mail.sender, options=options, encoding=encoding)
            _in_step(client)
            stage = "recipient"
            await client.rcpt(mail.to.address, encoding=encoding)
            _in_step(client)
            stage = "data"
            reply = await client.execute_command(b"DATA")
            if reply.code != _SEND_DATA:
                raise SMTPResponseException(reply.code, reply.message)  # noqa: TRY301 - as aiosmtplib does for the others
            _in_step(client)
        except SMTPResponseException as error:
            usable = stage != "connect" and is_refusal(error.code) and not _said_more(client)
            await _begin_anew(client, usable=usable)
            # A sender or a login that is refused is our fault, not this mailbox's: it waits until that is repaired.
            return refusal(error.code, error.message, stage=stage, final=stage in _OF_THE_MAIL)
        except SMTPServerDisconnected:
            client.close()
            return _GONE
        except _LOST as error:
            client.close()
            return NotNow(f"{stage}: {type(error).__name__}")
        return None

    async def close(self) -> None:
        """Say goodbye where that is quick."""
        for client in self._clients:
            with contextlib.suppress(*_LOST):
                if client.is_connected:
                    await client.quit(timeout=_FAREWELL_SECONDS)
            client.close()


_GONE = NotNow("the mail server hung up")
#: Where a refusal speaks of this mailbox or this mail.
_OF_THE_MAIL = frozenset({"recipient", "data"})


async def _connect(client: SMTP) -> None:
    """Raises one of _LOST."""
    try:
        await client.connect()
    except ValueError as error:  # a challenge that is not base64, say
        client.close()
        raise SMTPException(f"the greeting made no sense: {type(error).__name__}") from None


def _in_step(client: SMTP) -> None:
    """Raises _OutOfStepError where more was said than one reply."""
    if _said_more(client):
        raise _OutOfStepError("more than one reply")


def _said_more(client: SMTP) -> bool:
    """Whether aiosmtplib holds bytes after the reply that it gave us. Private, and pinned by test_mail_replies.py."""
    return client.protocol is not None and bool(client.protocol._buffer)  # noqa: SLF001 - it tells nobody otherwise


async def _begin_anew(client: SMTP, *, usable: bool) -> None:
    """Forget the sender and recipients named so far; a connection that cannot is of no use."""
    try:
        if usable and client.is_connected:
            await client.rset()
            return
    except _LOST:
        pass
    client.close()
