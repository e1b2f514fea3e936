"""SMTP through a few connections that stay open (RFC 5321).

What matters is which reply is missing: before the data nothing can have been accepted; after them nobody knows.
"""

import asyncio
import contextlib
from collections.abc import Callable

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected

from notifications.domain.delivery import Accepted, Answer, Mail, NotNow, Refused, Uncertain, refusal

_NO_UTF8 = Refused(553, "5.6.7")
_UTF8_OPTIONS = ("SMTPUTF8", "BODY=8BITMIME")
_FAREWELL_SECONDS = 1.0
_LOST = (SMTPException, OSError, TimeoutError, EOFError)


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
        if problem is not None:
            return problem
        try:
            await client.data(content, timeout=self._final_timeout_seconds)
        except SMTPResponseException as error:
            if error.code > 0:
                return refusal(error.code, error.message, stage="data", final=True)
            client.close()
            return Uncertain("the final reply made no sense")
        except _LOST as error:
            client.close()
            return Uncertain(f"no final reply: {type(error).__name__}")
        return Accepted()

    async def _envelope(self, client: SMTP, mail: Mail) -> Refused | NotNow | None:
        """Everything before the data; None when the server wants them."""
        stage = "connect"
        try:
            if not client.is_connected:
                await client.connect()
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
            stage = "recipient"
            await client.rcpt(mail.to.address, encoding=encoding)
        except SMTPResponseException as error:
            await _begin_anew(client, usable=stage != "connect")
            # A sender or a login that is refused is our fault, not this mailbox's: it waits until that is repaired.
            return refusal(error.code, error.message, stage=stage, final=stage == "recipient")
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


async def _begin_anew(client: SMTP, *, usable: bool) -> None:
    """Forget the sender and recipients named so far; a connection that cannot is of no use."""
    try:
        if usable and client.is_connected:
            await client.rset()
            return
    except _LOST:
        pass
    client.close()
