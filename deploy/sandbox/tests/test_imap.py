"""The mail provider: a real client reads its mailboxes."""

import asyncio
import imaplib

import pytest
from imap_tools import MailBoxUnencrypted

from sandbox.testing import RunningSandbox, running_sandbox

RAW = b"From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


async def test_a_client_searches_fetches_and_marks() -> None:
    async with running_sandbox() as sandbox:
        await sandbox.arrive("box@shop.example", RAW)
        await sandbox.arrive("other@shop.example", RAW)

        def read() -> list[bytes]:
            box = _opened(sandbox)
            client = box.client
            found = client.uid("SEARCH", "UNKEYWORD", "Mine", "SINCE", "1-Jan-2020")[1][0].split()
            assert client.uid("SEARCH", "SINCE", "1-Jan-2999")[1] == [b""]
            raw = client.uid("FETCH", found[0].decode(), "(BODY.PEEK[])")[1][0][1]
            client.uid("STORE", found[0].decode(), "+FLAGS.SILENT", "(Mine)")
            assert client.uid("SEARCH", "UNKEYWORD", "Mine")[1] == [b""]
            box.logout()
            return [raw, *found]

        raw, *found = await asyncio.to_thread(read)
        assert raw == RAW
        assert len(found) == 1
        [stored] = await sandbox.mailbox("box@shop.example")
        assert (stored["flags"], stored["fetched"]) == (["Mine"], 1)


async def test_idle_tells_of_an_arrival() -> None:
    async with running_sandbox() as sandbox:
        box = await asyncio.to_thread(_opened, sandbox)
        waiting = asyncio.create_task(asyncio.to_thread(box.idle.wait, timeout=30))

        async def arrived() -> None:
            while not waiting.done():
                await sandbox.arrive("box@shop.example", RAW)
                await asyncio.wait({waiting}, timeout=0.2)

        async with asyncio.timeout(30):
            await arrived()
        assert any(b"EXISTS" in line for line in waiting.result())
        await asyncio.to_thread(box.logout)


async def test_a_wrong_password_and_faults() -> None:
    async with running_sandbox() as sandbox:

        def wrong() -> None:
            box = MailBoxUnencrypted("127.0.0.1", sandbox.imap_port, timeout=10)
            try:
                box.login("box@shop.example", "wrong")
            finally:
                box.client.shutdown()

        with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
            await asyncio.to_thread(wrong)
        await sandbox.faults({"target": "imap", "effect": "drop", "match": {"command": "search"}, "times": 1})
        box = await asyncio.to_thread(_opened, sandbox)
        with pytest.raises(imaplib.IMAP4.abort):
            await asyncio.to_thread(box.client.uid, "SEARCH", "ALL")
        box.client.shutdown()


_password = "sandbox-mailbox"


def _opened(sandbox: RunningSandbox) -> MailBoxUnencrypted:
    box = MailBoxUnencrypted("127.0.0.1", sandbox.imap_port, timeout=10)
    box.login("box@shop.example", _password)
    return box
