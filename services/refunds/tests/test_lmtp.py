"""Mails by LMTP (RFC 2033): each recipient gets a reply of its own, and 250 only what is stored."""

import asyncio
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import pytest
from services.refunds.tests.test_support_mail import REFUND, Mailbox, mail

from refunds.support_mail import SupportMail, lmtp

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Refunds, Start

ESIMKA, ONL = "support@esimka.example", "support@e-sim-onl.example"


class MailServer:
    """A shop's mail server that hands in mail: one connection."""

    def __init__(self, running: "Refunds") -> None:
        self.running = running

    async def __aenter__(self) -> Self:
        async def listening() -> int:
            port: int = self.running.service.app.state.lmtp.port
            return port

        port = await self.running.stage.eventually(listening)
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.greeting = await self.reply()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.writer.close()

    async def reply(self) -> str:
        """One reply, which may have several lines; empty when the connection has ended."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            line = (await asyncio.wait_for(self.reader.readline(), 30)).decode()
            if not line:
                break
            lines.append(line.rstrip("\r\n"))
        return "\n".join(lines)

    async def says(self, command: str) -> str:
        self.writer.write(f"{command}\r\n".encode())
        return await self.reply()

    async def deliver(self, raw: bytes, *recipients: str) -> tuple[list[str], list[str]]:
        """Hand in a mail: the replies to each RCPT, and those to the mail, one for each that was accepted."""
        assert (await self.says("MAIL FROM:<ann@example.org>")).startswith("250")
        accepted = [await self.says(f"RCPT TO:<{recipient}>") for recipient in recipients]
        assert (await self.says("DATA")).startswith("354")
        lines = raw.replace(b"\r\n", b"\n").split(b"\n")
        self.writer.write(b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines) + b".\r\n")
        return accepted, [await self.reply() for reply in accepted if reply.startswith("250")]


async def listening(start: "Start", **listener: object) -> "Refunds":
    return await start(support_lmtp={"port": 0, **listener})


async def test_each_recipient_gets_a_reply_and_the_mail_opens_a_case(start: "Start") -> None:
    running = await listening(start)
    order = await Mailbox(running).order()
    raw = mail(REFUND.format(number=order.order_number))
    async with MailServer(running) as server:
        assert server.greeting.startswith("220")
        assert (await server.says("EHLO mx.esimka.example")).startswith("500"), "not SMTP"
        extensions = await server.says("LHLO mx.esimka.example")
        assert "SIZE" in extensions
        tagged = ESIMKA.replace("@", f"+{'a' * 36}@")
        accepted, replies = await server.deliver(raw, ESIMKA.upper(), "nobody@esimka.example", tagged, ONL)
        assert [reply[:9] for reply in accepted] == ["250 2.1.5", "550 5.1.1", "250 2.1.5", "250 2.1.5"]
        assert [reply[:9] for reply in replies] == ["250 2.0.0"] * 3
        _, again = await server.deliver(raw, ESIMKA)
        assert again[0].startswith("250"), "taken before, and not handed in for ever"
    rows = await running.rows("SELECT storefront, way, state FROM support_mails ORDER BY storefront")
    assert [(row["storefront"], row["way"]) for row in rows] == [("e-sim-onl", "lmtp"), ("esimka", "lmtp")]
    assert (rows[0]["state"], rows[1]["state"]) == ("waiting", "placed")
    assert await running.state(order) is not None
    metrics = (await running.get("/metrics")).text
    assert 'support_mails_total{outcome="repeated",storefront="esimka"} 2.0' in metrics


async def test_what_is_not_stored_is_handed_in_again(start: "Start", monkeypatch: pytest.MonkeyPatch) -> None:
    running = await listening(start)
    order = await Mailbox(running).order()
    raw = mail(REFUND.format(number=order.order_number))
    take = SupportMail.take

    async def failing(*_arguments: object) -> str:
        raise OSError("the database is away")

    async with MailServer(running) as server:
        await server.says("LHLO mx.esimka.example")
        monkeypatch.setattr(SupportMail, "take", failing)
        _, replies = await server.deliver(raw, ESIMKA, ONL)
        assert [reply[:9] for reply in replies] == ["451 4.3.0"] * 2
        monkeypatch.setattr(SupportMail, "take", take)
        _, replies = await server.deliver(raw, ESIMKA)
        assert replies[0].startswith("250")
    assert len(await running.rows("SELECT 1 FROM support_mails")) == 1


async def test_a_mail_that_is_too_large_is_refused_for_each_recipient(
    start: "Start", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmtp, "LARGEST_MAIL", 10_000)
    running = await listening(start)
    async with MailServer(running) as server:
        assert "SIZE 10000" in await server.says("LHLO mx.esimka.example")
        assert (await server.says("MAIL FROM:<ann@example.org> SIZE=10001")).startswith("552")
        _, replies = await server.deliver(mail("x\n" * 10_000), ESIMKA, ONL)
        assert [reply[:3] for reply in replies] == ["552", "552"]
        _, replies = await server.deliver(mail("." + "long " * 1000), ESIMKA)
        assert replies[0].startswith("250"), "a long line is no reason, and a dot at its start stays"
    assert len(await running.rows("SELECT 1 FROM support_mails")) == 1


async def test_only_the_networks_of_the_settings_may_hand_in(start: "Start") -> None:
    """Whoever may could write into a mail that its sender is proved."""
    running = await listening(start, clients=["10.0.0.0/8"])
    async with MailServer(running) as server:
        assert server.greeting.startswith("421")
        assert await server.reply() == ""
    receiver = running.service.app.state.lmtp
    served = ("10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1", "", "no address")
    assert [receiver.serves(peer) for peer in served] == [True, True, False, False, False, False]


async def test_nothing_of_a_mail_is_logged(start: "Start", caplog: pytest.LogCaptureFixture) -> None:
    running = await listening(start)
    mark = uuid4().hex
    async with MailServer(running) as server:
        await server.says("LHLO mx.esimka.example")
        await server.deliver(mail(f"about {mark}"), ESIMKA)
        await server.says(f"MAIL FROM:<{mark}@example.org>")
        await server.says(f"RCPT TO:<{mark}@esimka.example>")
    assert mark not in caplog.text
