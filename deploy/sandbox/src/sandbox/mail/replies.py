"""Replies that faults make the mail server give."""

import asyncio
from typing import cast

from aiosmtpd.smtp import SMTP

from sandbox.faults import FaultBook, Rule

MAILBOX_REFUSED = 550


async def say(faults: FaultBook, server: SMTP, rule: Rule) -> None:
    """Send the rule's `message`, each character as one byte, `repeat` times with pauses of `seconds`.

    A message that does not end its line closes the connection.
    """
    transport = cast("asyncio.Transport", server.transport)
    message = rule.message or ""
    for number in range(rule.repeat):
        if transport.is_closing():
            return
        transport.write(message.encode("latin-1", "replace"))
        await faults.pause(rule.seconds if number + 1 < rule.repeat else 0)
    if not message.endswith("\n"):
        transport.close()


def refusal(rule: Rule) -> str:
    """The reply with which a mailbox or a mail is refused."""
    status = rule.status or rule.code or MAILBOX_REFUSED
    usual = "5.1.1 No such mailbox" if status >= 500 else "4.2.1 Mailbox busy"  # noqa: PLR2004 - permanent from 500
    return f"{status} {rule.message or usual}"


def cut(server: SMTP, last_words: bytes) -> None:
    """End the connection, at once or after these bytes."""
    transport = cast("asyncio.Transport", server.transport)
    if last_words:
        transport.write(last_words)
        transport.close()
    else:
        transport.abort()
