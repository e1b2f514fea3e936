"""SMTP through a pool of connections that stay open (RFC 5321).

The outcome depends on which reply is missing: without the data nothing can have been accepted; after the data the
outcome is unknown.

A connection on which the server sent more than one reply to a command is closed: every later reply would be read as the
answer to the next command, about another mailbox. aiosmtplib keeps such bytes and reads them first.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import normalize_message_line_endings

from notifications.clients.mail import (
    Mail,
    MailNotSent,
    MailOutcome,
    MailRefused,
    is_refusal,
    mail_refused,
    reply_outcome,
)
from shared.attempts import require_lease
from shared.outcomes import Done, Unknown

#: RFC 3463: non-ASCII addresses not permitted for that recipient.
_NO_UTF8 = mail_refused(553, "5.6.7")
_UTF8_OPTIONS = ("SMTPUTF8", "BODY=8BITMIME")
_QUIT_SECONDS = 1.0
_LOST = (SMTPException, OSError, TimeoutError, EOFError)
_SEND_DATA, _SUCCESS = 354, range(200, 300)
_DOT = re.compile(rb"(?m)^\.")


class _UnexpectedReplyError(SMTPException):
    """The server sent a reply without a command."""


class SmtpMailer:
    """A pool of connections. `client` makes an unconnected client; a lost connection is replaced when it is needed."""

    def __init__(self, client: Callable[[], SMTP], *, connections: int, final_timeout_seconds: float) -> None:
        self._clients = [client() for _ in range(connections)]
        # Last in, first out: at low load the server closes the unused connections, and no email waits for a new one.
        self._free: asyncio.LifoQueue[SMTP] = asyncio.LifoQueue()
        for connection in self._clients:
            self._free.put_nowait(connection)
        self._final_timeout_seconds = final_timeout_seconds

    async def send(self, mail: Mail) -> MailOutcome:
        """Compose the email in a thread, then hand it over."""
        content = await asyncio.to_thread(mail.compose)
        client = await self._free.get()
        try:
            return await self._send(client, mail, content)
        except BaseException:
            client.close()  # in the middle of a dialogue: this connection cannot be used again
            raise
        finally:
            self._free.put_nowait(client)

    async def _send(self, client: SMTP, mail: Mail, content: bytes) -> MailOutcome:
        reused = client.is_connected
        not_accepted = await self._envelope(client, mail)
        if not_accepted is _CLOSED and reused:  # the server had closed an idle connection
            not_accepted = await self._envelope(client, mail)
        return not_accepted or await self._hand_over(client, content)

    async def _hand_over(self, client: SMTP, content: bytes) -> MailOutcome:
        """Send the data and read the final reply (RFC 5321 section 4.2: 2yz is success)."""
        protocol = client.protocol
        if protocol is None:
            return _CLOSED
        await require_lease()
        try:
            protocol.write(_DOT.sub(b"..", normalize_message_line_endings(content)) + b".\r\n")
            reply = await protocol.read_response(timeout=self._final_timeout_seconds)
        except SMTPResponseException:
            client.close()
            return Unknown("the final reply cannot be parsed")
        except _LOST as error:
            client.close()
            return Unknown(f"no final reply: {type(error).__name__}")
        is_final = reply.code in _SUCCESS or is_refusal(reply.code)
        if not is_final or _has_more_bytes(client):
            client.close()
        if reply.code in _SUCCESS:
            return Done(None)
        if not is_final:
            return Unknown("the final reply cannot be parsed")
        return reply_outcome(reply.code, reply.message, stage="data", final=True)

    async def _envelope(self, client: SMTP, mail: Mail) -> MailRefused | MailNotSent | None:
        """Send everything before the data. Returns None when the server is ready for the data."""
        stage = "connect"
        if _has_more_bytes(client):
            client.close()
        try:
            if not client.is_connected:
                await _connect(client)
                _require_one_reply(client)
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
            _require_one_reply(client)
            stage = "recipient"
            await client.rcpt(mail.to.address, encoding=encoding)
            _require_one_reply(client)
            stage = "data"
            reply = await client.execute_command(b"DATA")
            if reply.code != _SEND_DATA:
                raise SMTPResponseException(reply.code, reply.message)  # noqa: TRY301 - as aiosmtplib does for the others
            _require_one_reply(client)
        except SMTPResponseException as error:
            usable = stage != "connect" and is_refusal(error.code) and not _has_more_bytes(client)
            await _reset(client, usable=usable)
            # A refused sender or login is a fault of our configuration, not of this mailbox: the email waits.
            return reply_outcome(error.code, error.message, stage=stage, final=stage in _ABOUT_THE_EMAIL)
        except SMTPServerDisconnected:
            client.close()
            return _CLOSED
        except _LOST as error:
            client.close()
            return MailNotSent(f"{stage}: {type(error).__name__}")
        return None

    async def close(self) -> None:
        """Quit all connections; a server that does not answer within a second is not waited for."""
        for client in self._clients:
            with contextlib.suppress(*_LOST):
                if client.is_connected:
                    await client.quit(timeout=_QUIT_SECONDS)
            client.close()


_CLOSED = MailNotSent("the mail server closed the connection")
#: Stages at which a refusal is about this mailbox or this email.
_ABOUT_THE_EMAIL = frozenset({"recipient", "data"})


async def _connect(client: SMTP) -> None:
    """Raises one of _LOST."""
    try:
        await client.connect()
    except ValueError as error:  # a challenge that is not base64, say
        client.close()
        raise SMTPException(f"the greeting cannot be parsed: {type(error).__name__}") from None


def _require_one_reply(client: SMTP) -> None:
    """Raises _UnexpectedReplyError if the server sent more than one reply."""
    if _has_more_bytes(client):
        raise _UnexpectedReplyError("more than one reply")


def _has_more_bytes(client: SMTP) -> bool:
    """Whether aiosmtplib holds bytes after the reply that it returned. Private, and tested by test_mail_replies.py."""
    return client.protocol is not None and bool(client.protocol._buffer)  # noqa: SLF001 - no public attribute has it


async def _reset(client: SMTP, *, usable: bool) -> None:
    """Reset the dialogue (RSET), or close a connection that cannot be reset."""
    with contextlib.suppress(*_LOST):  # a connection that is lost meanwhile is closed below
        if usable and client.is_connected:
            await client.rset()
            return
    client.close()
