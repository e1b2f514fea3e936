"""The SMTP side, its faults and the mail ledger."""

import asyncio
from contextlib import AsyncExitStack
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from sandbox.testing import RunningSandbox, running_sandbox


def mail(message_id: str = "<1@shop>", to: str = "a@example.kz", subject: str = "Ваш eSIM") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "shop@example.kz"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = message_id
    message.set_content("Строка\n.\n..\n.dots at the start\nend.\n")
    return message


def smtp(sb: RunningSandbox) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(hostname=sb.smtp_host, port=sb.smtp_port, start_tls=False, timeout=10)


async def send(sb: RunningSandbox, message: EmailMessage | None = None) -> str:
    async with smtp(sb) as client:
        _errors, answer = await client.send_message(message or mail())
        return answer


async def counts(sb: RunningSandbox) -> dict[str, int]:
    value: dict[str, int] = (await sb.ledger_mail())["counts"]
    return value


async def test_a_mail_arrives_whole(sb: RunningSandbox) -> None:
    assert "queued as 1" in await send(sb)
    ledger = await sb.ledger_mail()
    (entry,) = ledger["messages"]
    assert (entry["id"], entry["message_id"], entry["to"]) == (1, "<1@shop>", ["a@example.kz"])
    assert (entry["subject"], entry["from"]) == ("Ваш eSIM", "shop@example.kz")
    assert ledger["counts"] == {"messages": 1, "unique_message_ids": 1, "repeated": 0, "refused": 0}
    (whole,) = await sb.mails(to="A@EXAMPLE.kz")
    assert whole["text"].splitlines() == ["Строка", ".", "..", ".dots at the start", "end."]
    assert ["Subject", "Ваш eSIM"] in whole["headers"]


async def test_many_mails_over_one_connection(sb: RunningSandbox) -> None:
    async with smtp(sb) as client:
        for number in range(50):
            await client.send_message(mail(f"<{number}@shop>", to=f"u{number}@example.kz"))
    assert (await counts(sb))["messages"] == 50
    assert [one["id"] for one in await sb.mails(after=47)] == [48, 49, 50]
    assert len((await sb.ledger_mail(since=49))["messages"]) == 1


@pytest.mark.parametrize("text", [b"", b"\r\n", b".\r\n", b"x.\r\n", b"a\r\n..\r\n.\r\nb\r\n"])
async def test_dots_and_empty_messages(sb: RunningSandbox, text: bytes) -> None:
    async with smtp(sb) as client:
        await client.sendmail("s@example.kz", ["a@example.kz"], b"X: 1\r\n\r\n" + text)
    raw = (await sb.client.get("/mail/1/raw")).content
    assert raw == b"X: 1\r\n\r\n" + text


async def test_a_message_of_nothing(sb: RunningSandbox) -> None:
    reader, writer = await asyncio.open_connection(sb.smtp_host, sb.smtp_port)
    commands = (
        b"HELO x",
        b"DATA",
        b"MAIL FROM:<s@example.kz>",
        b"RCPT TO:<a@example.kz>",
        b"DATA x",
        b"DATA",
        b".",
        b"QUIT",
    )
    codes = [(await reader.readline())[:3]]
    for command in commands:
        writer.write(command + b"\r\n")
        codes.append((await reader.readline())[:3])
    assert codes == [b"220", b"250", b"503", b"250", b"250", b"501", b"354", b"250", b"221"]
    writer.close()
    assert (await sb.mails())[0]["text"] == ""


@pytest.mark.parametrize(("status", "message"), [(550, "5.1.1 No such mailbox"), (450, "4.2.1 Mailbox busy")])
async def test_a_mailbox_is_refused(sb: RunningSandbox, status: int, message: str) -> None:
    await sb.faults({"target": "mail", "effect": "refuse", "status": status, "match": {"to": "no@example.kz"}})
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send(sb, mail(to="no@example.kz"))
    (recipient,) = refused.value.recipients
    assert (recipient.code, recipient.message) == (status, message)
    await send(sb)
    assert await counts(sb) == {"messages": 1, "unique_message_ids": 1, "repeated": 0, "refused": 1}


async def test_refused_after_data(sb: RunningSandbox) -> None:
    await sb.faults(
        {"target": "mail", "effect": "refuse", "stage": "data", "status": 554, "message": "spam", "times": 1}
    )
    with pytest.raises(aiosmtplib.SMTPDataError, match="spam"):
        await send(sb)
    await send(sb)
    assert (await counts(sb))["messages"] == 1


@pytest.mark.parametrize(("effect", "stored"), [("lose_reply", 1), ("partial_body", 1), ("drop", 0)])
async def test_the_connection_is_cut_before_250(sb: RunningSandbox, effect: str, stored: int) -> None:
    await sb.faults({"target": "mail", "effect": effect, "times": 1})
    with pytest.raises(aiosmtplib.SMTPException):
        await send(sb)
    assert (await counts(sb))["messages"] == stored
    await send(sb)
    assert await counts(sb) == {
        "messages": stored + 1,
        "unique_message_ids": 1,
        "repeated": stored,
        "refused": 0,
    }


async def test_duplicate(sb: RunningSandbox) -> None:
    await sb.faults({"target": "mail", "effect": "duplicate", "match": {"to": "*@example.kz"}})
    await send(sb)
    assert (await counts(sb))["repeated"] == 1


@pytest.mark.parametrize(("effect", "stored"), [("latency", 0), ("delay", 1)])
async def test_waiting(sb: RunningSandbox, effect: str, stored: int) -> None:
    await sb.faults({"target": "mail", "effect": effect, "seconds": 600})
    client = smtp(sb)
    await client.connect()
    waiting = asyncio.create_task(client.send_message(mail()))
    await sb.struck()
    assert (await counts(sb))["messages"] == stored
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    client.close()


async def test_old_bodies_are_let_go_but_the_ledger_stays() -> None:
    async with running_sandbox(mail_memory_bytes=1000) as sb:
        for number in range(5):
            await send(sb, mail(f"<{number}@shop>"))
        assert (await counts(sb))["messages"] == 5
        assert (await sb.client.get("/mail/api/messages/1")).status_code == 410
        assert (await sb.client.get("/mail/api/messages/5")).status_code == 200


async def test_mails_outlive_a_restart(tmp_path: Path) -> None:
    async with running_sandbox(data_dir=tmp_path) as sb:
        for number in range(3):
            await send(sb, mail(f"<{number}@shop>"))
    async with running_sandbox(data_dir=tmp_path) as sb:
        await send(sb, mail("<1@shop>"))
        assert (await counts(sb))["repeated"] == 1
        found = await sb.mails()
        assert [one["id"] for one in found] == [1, 2, 3, 4]
        assert all("Строка" in one["text"] for one in found)
        await sb.reset()
        assert (await counts(sb))["messages"] == 0
        assert "queued as 5" in await send(sb)
    async with running_sandbox(data_dir=tmp_path) as sb:
        assert [one["id"] for one in await sb.mails()] == [5]


async def test_a_mail_that_comes_back_was_accepted_first() -> None:
    taken: list[tuple[str, str, bytes]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        taken.append((head.split()[1], head.lower(), await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/bounces"
    async with running_sandbox(mail_bounce_url=url, mail_bounce_key="k") as sb:
        await sb.faults(
            {"target": "mail", "effect": "bounce", "times": 1},
            {"target": "mail", "effect": "bounce", "times": 1, "status": 452},
        )
        for _ in range(3):
            assert "queued" in await send(sb)
        await sb.stands.bouncer.idle()
        assert (await counts(sb))["messages"] == 3
    server.close()
    await server.wait_closed()
    assert sorted(b"Action: failed" in body for _, _, body in taken) == [False, True]
    for path, head, body in taken:
        assert path == "/bounces?recipient=shop%40example.kz"
        assert "authorization: bearer k" in head
        assert b"Final-Recipient: rfc822; a@example.kz" in body
        assert b"Message-ID: <1@shop>" in body


@pytest.mark.parametrize("stage", ["rcpt", "begin", "data"])
async def test_a_reply_is_sent_as_it_was_written_down(sb: RunningSandbox, stage: str) -> None:
    await sb.faults(
        {"target": "mail", "effect": "raw_reply", "stage": stage, "match": {"to": "odd@example.kz"}, "times": 1,
         "message": "999 \x00\xff\r\n", "repeat": 2, "seconds": 0},
    )  # fmt: skip
    reader, writer = await asyncio.open_connection(sb.smtp_host, sb.smtp_port)
    odd = b"999 \x00\xff\r\n"
    lines = [await reader.readline()]
    for command in (b"HELO x", b"MAIL FROM:<s@example.kz>", b"RCPT TO:<odd@example.kz>", b"DATA", b"."):
        if lines[-1] == odd:
            break
        writer.write(command + b"\r\n")
        lines.append(await reader.readline())
    assert lines[-1] == odd
    assert len(lines) == {"rcpt": 4, "begin": 5, "data": 6}[stage]
    assert await reader.readline() == odd
    writer.close()
    await send(sb, mail(to="odd@example.kz"))
    assert (await counts(sb))["messages"] == 1


async def test_a_reply_without_an_end_ends_the_connection(sb: RunningSandbox) -> None:
    await sb.faults({"target": "mail", "effect": "raw_reply", "times": 1, "message": "25", "repeat": 2, "seconds": 0.1})
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await send(sb)
    await send(sb)
    assert (await counts(sb))["messages"] == 1


async def test_the_connection_is_cut_when_the_data_begin(sb: RunningSandbox) -> None:
    await sb.faults({"target": "mail", "effect": "drop", "stage": "begin", "times": 1})
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await send(sb)
    assert (await counts(sb))["messages"] == 0


async def test_a_stop_ends_connections_that_were_opened_at_the_same_moment() -> None:
    async with AsyncExitStack() as opened:
        sb = await opened.enter_async_context(running_sandbox())
        connections = await asyncio.gather(*(asyncio.open_connection(sb.smtp_host, sb.smtp_port) for _ in range(20)))
        for reader, _ in connections:
            assert (await reader.readline()).startswith(b"220 ")
        async with asyncio.timeout(10):
            await opened.aclose()
        for reader, writer in connections:
            async with asyncio.timeout(10):
                assert await reader.read() == b""
            writer.close()
