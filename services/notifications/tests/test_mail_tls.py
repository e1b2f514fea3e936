"""STARTTLS with real servers that refuse, break or spoil it: no email and no password leaves in plain text then."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import trustme
from pydantic import SecretStr

from notifications import app
from notifications.clients.mail import Mail, MailNotSent, MailOutcome
from notifications.emails.rules.message import recipient
from notifications.settings import Settings
from shared.outcomes import Done
from shared.testing.conversations import until_hung_up

Mode = Literal["auto", "starttls"]
PASSWORD = "hush-hush-hush"
#: What a server says to STARTTLS; after 220 it begins TLS.
GO, BUSY, REFUSED, NOISE, INJECTED = (
    b"220 2.0.0 go ahead\r\n",
    b"454 4.7.0 not now\r\n",
    b"502 5.5.1 no\r\n",
    b"220 2.0.0 go ahead\r\n\x16 this is no TLS\r\n",
    b"220 2.0.0 go ahead\r\n250-mx.example\r\n250 AUTH PLAIN LOGIN\r\n",
)


@dataclass
class Server:
    """A mail server. `offers` None: it has no STARTTLS; else its reply. `plain`: all lines that came in plain text."""

    offers: bytes | None
    tls: ssl.SSLContext
    plain: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = self.plain
        writer.write(b"220 mx.example\r\n")
        while True:
            line = (await reader.readuntil(b"\r\n")).decode(errors="replace")
            seen.append(line)
            verb = line[:4].upper()
            if verb == "EHLO":
                extra = b"250-STARTTLS\r\n" if self.offers is not None and seen is self.plain else b""
                writer.write(b"250-mx.example\r\n" + extra + b"250 AUTH PLAIN LOGIN\r\n")
            elif verb == "STAR":
                writer.write(self.offers or REFUSED)
                await writer.drain()
                if self.offers in (GO, INJECTED):
                    await writer.start_tls(self.tls)
                    seen = self.sealed
            elif verb == "AUTH":
                writer.write(b"235 2.7.0 ok\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                seen.append("the email")
                writer.write(b"250 2.0.0 queued\r\n")
            else:
                writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")

    def kept_secret(self) -> bool:
        """Whether neither the email nor anything of the password came in plain text."""
        encoded = (base64.b64encode(word.encode()).decode() for word in (f"\0shop\0{PASSWORD}", PASSWORD))
        text = "".join(self.plain)
        return not any(word in text for word in (PASSWORD, *encoded, "the email", "MAIL FROM", "AUTH"))


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The authority that this machine trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    return made


@asynccontextmanager
async def listening(
    authority: trustme.CA, offers: bytes | None, name: str = "localhost"
) -> AsyncIterator[tuple[Server, int]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    server = Server(offers, context)
    accepting = await asyncio.start_server(until_hung_up(server.talk), "127.0.0.1", 0)
    async with accepting:
        yield server, accepting.sockets[0].getsockname()[1]


async def send(port: int, mode: Mode) -> MailOutcome:
    settings = Settings(
        database_url="x",
        kafka_bootstrap_servers="x",
        smtp_host="localhost",
        smtp_port=port,
        smtp_tls=mode,
        smtp_username="shop",
        smtp_password=SecretStr(PASSWORD),
        smtp_timeout_seconds=5.0,
        smtp_final_timeout_seconds=5.0,
    )
    mailer = app._mailer(settings, connections=1)
    try:
        return await mailer.send(
            Mail("us@us.example", recipient("Anna", "anna@mx.example"), lambda: b"Subject: x\r\n\r\nwords\r\n")
        )
    finally:
        await mailer.close()


@pytest.mark.parametrize("mode", ["auto", "starttls"])
async def test_an_email_goes_through_tls_where_the_server_has_it(authority: trustme.CA, mode: Mode) -> None:
    async with listening(authority, GO) as (server, port):
        assert await send(port, mode) == Done(None)
    assert server.sealed[-2:] == ["the email", "QUIT\r\n"]
    assert server.kept_secret()


@pytest.mark.parametrize("offers", [None, BUSY, REFUSED, NOISE], ids=["not offered", "busy", "refused", "no TLS"])
async def test_where_tls_is_required_and_refused_the_email_waits(authority: trustme.CA, offers: bytes | None) -> None:
    async with listening(authority, offers) as (server, port):
        assert isinstance(await send(port, "starttls"), MailNotSent)
    assert server.kept_secret()
    assert server.sealed == []


@pytest.mark.parametrize("offers", [None, BUSY, REFUSED, NOISE], ids=["stripped", "busy", "refused", "no TLS"])
async def test_a_password_is_not_sent_in_plain_text_whatever_the_server_says_of_tls(
    authority: trustme.CA, offers: bytes | None
) -> None:
    async with listening(authority, offers) as (server, port):
        assert isinstance(await send(port, "auto"), MailNotSent)
    assert server.kept_secret()


@pytest.mark.parametrize("mode", ["auto", "starttls"])
@pytest.mark.parametrize("name", ["another.example", "of nobody"])
async def test_a_certificate_of_somebody_else_ends_it(authority: trustme.CA, mode: Mode, name: str) -> None:
    stranger = trustme.CA() if name == "of nobody" else authority
    async with listening(stranger, GO, "localhost" if name == "of nobody" else name) as (server, port):
        assert isinstance(await send(port, mode), MailNotSent)
    assert server.kept_secret()
    assert server.sealed == []


async def test_replies_that_were_sent_before_tls_are_not_taken_for_replies_within_it(authority: trustme.CA) -> None:
    """A stranger on the network can add plain text to the reply; it must not speak for the server."""
    async with listening(authority, INJECTED) as (server, port):
        outcome = await send(port, "starttls")
    assert server.kept_secret()
    assert isinstance(outcome, MailNotSent) or server.sealed[:1] == ["EHLO mail.example\r\n"]
