"""What a mail server may say, good and hostile: what it means for the mail, and that the next mail is not touched."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiosmtplib import SMTP, __version__

from notifications.clients.mail import Mail, MailNotSent, MailOutcome, MailRefused, mail_refused
from notifications.clients.smtp import SmtpMailer
from notifications.emails.rules.message import recipient
from shared.attempts import LeaseLostError, lease
from shared.outcomes import Done, Unknown
from shared.testing.conversations import until_hung_up

#: Seconds for a reply, and for the final one.
PATIENCE, FINAL = 0.5, 0.8
GOOD = {
    "connect": b"220 mx.example\r\n",
    "EHLO": b"250-mx.example\r\n250 8BITMIME\r\n",
    "HELO": b"250 mx.example\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go on\r\n",
    "final": b"250 2.0.0 queued\r\n",
    "RSET": b"250 ok\r\n",
    "QUIT": b"221 bye\r\n",
}
CUT = b""
MEGABYTE = b"5" * 1_000_000
ENDLESS = b"250-more\r\n" * 200_000


@dataclass
class Server:
    """Replies as in GOOD; to the mailbox `bad@…`, from a stage on, as given. `slowly`: a byte now and then."""

    stage: str
    reply: bytes
    slowly: bool = False
    taken: list[str] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bad, to = False, ""
        if not await self._say(writer, "connect", bad=self.stage in ("connect", "EHLO") and not self.taken):
            return
        while True:
            line = (await reader.readuntil(b"\r\n")).decode()
            verb = line[:4].upper()
            bad = bad or "bad@" in line or (verb == "EHLO" and self.stage == "EHLO" and not self.taken)
            if verb == "RCPT":
                to = line[9 : line.index("@")]
            if not await self._say(writer, verb, bad=bad):
                return
            if verb == "DATA" and not (bad and self.stage == "DATA"):
                await reader.readuntil(b"\r\n.\r\n")
                self.taken.append(to)
                if not await self._say(writer, "final", bad=bad):
                    return
            bad = bad and verb not in ("DATA", "RSET")

    async def _say(self, writer: asyncio.StreamWriter, stage: str, *, bad: bool) -> bool:
        reply = self.reply if bad and stage == self.stage else GOOD[stage]
        if bad and stage == self.stage and stage in ("connect", "EHLO"):
            self.taken.append("")  # once is enough
        if bad and stage == self.stage and self.slowly:
            for byte in reply:
                writer.write(bytes([byte]))
                await asyncio.sleep(PATIENCE / 3)
            return True
        writer.write(reply)
        await writer.drain()
        return reply != CUT


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[SmtpMailer]:
    listening = await asyncio.start_server(until_hung_up(server.talk), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]

    def client() -> SMTP:
        return SMTP(hostname="127.0.0.1", port=port, local_hostname="us.example", timeout=PATIENCE)

    mailer = SmtpMailer(client, connections=1, final_timeout_seconds=FINAL)
    async with listening:
        yield mailer
        await mailer.close()


def mail(name: str) -> Mail:
    return Mail(
        f"{name}@us.example", recipient("Somebody", f"{name}@mx.example"), lambda: b"Subject: x\r\n\r\n.\r\nwords\r\n"
    )


async def answer(stage: str, reply: bytes, *, slowly: bool = False) -> MailOutcome:
    """What comes of the bad mailbox's mail; the mails of others before and after it are taken."""
    server = Server(stage, reply, slowly=slowly)
    began = time.monotonic()
    async with serving(server) as mailer:
        first = None if stage in ("connect", "EHLO") else await mailer.send(mail("good"))
        given = await mailer.send(mail("bad"))
        later = await mailer.send(mail("other"))
    assert first in (None, Done(None))
    assert later == Done(None)
    assert server.taken[-1] == "other"
    assert time.monotonic() - began < 10 * (PATIENCE + FINAL)
    return given


async def test_no_mail_is_handed_over_without_the_lease() -> None:
    server, held = Server("none", CUT), True

    async def holds() -> bool:
        return held

    async with serving(server) as mailer:
        lease.set(holds)
        await mailer.send(mail("first"))
        held = False
        with pytest.raises(LeaseLostError):
            await mailer.send(mail("second"))
        held = True
        await mailer.send(mail("third"))
    assert server.taken == ["first", "third"]


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    "reply",
    [
        CUT,
        b"999 5.1.1 odd\r\n",
        b"100 odd\r\n",
        b"-55 5.1.1 odd\r\n",
        b"600 odd\r\n",
        b"\x00\x00\x00\r\n",
        b"\xff\xfe\xfd \xf0\r\n",
        b"no code\r\n",
        b"\r\n",
        MEGABYTE,
        MEGABYTE + b"\r\n",
        b"250 " + MEGABYTE + b"\r\n",
        ENDLESS,
        ENDLESS + b"250 ok\r\n",
        b"421 4.3.2 later\r\n",
        b"451 9.9.9 odd\r\n",
        b"354 go on\r\n250 queued\r\n",
        b"220 hello\r\n250 a\r\n354 b\r\n250 c\r\n",
    ],
)
async def test_before_the_data_nothing_odd_refuses_a_mailbox_or_counts_as_taken(stage: str, reply: bytes) -> None:
    given = await answer(stage, reply)
    if stage == "EHLO" and given == Done(None):
        return  # the server did not understand EHLO, and was greeted with HELO
    assert isinstance(given, MailNotSent)
    assert given.refusal is None or 400 <= given.refusal.smtp_code < 500
    assert given.reason.isprintable()


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "final"])
async def test_a_reply_that_dribbles_is_not_waited_for(stage: str) -> None:
    given = await answer(stage, b"250 ok and so on\r\n", slowly=True)
    assert isinstance(given, Unknown if stage == "final" else MailNotSent)


@pytest.mark.parametrize(
    "reply",
    [
        CUT,
        b"999 5.1.1 odd\r\n",
        b"100 odd\r\n",
        b"-55 odd\r\n",
        b"354 go on\r\n",
        b"\x00\r\n",
        b"\xff\r\n",
        MEGABYTE,
        ENDLESS,
    ],
)
async def test_a_final_reply_that_makes_no_sense_leaves_it_open(reply: bytes) -> None:
    assert isinstance(await answer("final", reply), Unknown)


@pytest.mark.parametrize(
    "reply", [b"250 ok\r\n", b"200 ok\r\n", b"252 \x00\xff\r\n", b"250 ok\r\n550 no\r\n", b"250-a\r\n250 b\r\n"]
)
async def test_a_final_reply_of_success_is_success_whatever_its_words(reply: bytes) -> None:
    assert await answer("final", reply) == Done(None)


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "final"])
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"550 5.1.1 no\r\n", mail_refused(550, "5.1.1")),
        (b"550-5.1.1 no\r\n550 5.1.1 really\r\n", mail_refused(550, "5.1.1")),
        (b"550 5.1.1\x00\xff no\r\n", mail_refused(550, "5.1.1")),
        (b"550 5.9999.1 no\r\n", mail_refused(550)),
        (b"599 \xed\xa0\x80 no\r\n", mail_refused(599)),
        (b"550 5.1.1 no\r\n250 ok\r\n", mail_refused(550, "5.1.1")),
    ],
)
async def test_a_refusal_keeps_its_codes_and_no_words(stage: str, reply: bytes, expected: MailRefused) -> None:
    assert await answer(stage, reply) == expected


def test_aiosmtplib_keeps_what_was_said_too_much_where_we_look() -> None:
    """`_said_more` reads `SMTPProtocol._buffer`: look again when this version changes."""
    assert __version__.startswith("5.")
