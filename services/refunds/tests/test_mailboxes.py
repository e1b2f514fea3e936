"""Mailboxes of shops, between the sandbox's mail provider and a running service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from refunds.clients.imap import TAKEN
from refunds.support_mail import mailboxes
from refunds.support_mail.rules.reading import LARGEST_MAIL
from sandbox.testing import RunningSandbox, running_sandbox
from shared.testing.documents import RowMapping

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Refunds, Start

ADDRESS = "support@esimka.example"
HEAD = (
    "Authentication-Results: mx.esimka.example; dmarc=pass header.from=example.org\r\n"
    "From: Ann Lee <ann@example.org>\r\nTo: support@esimka.example\r\nSubject: eSIM\r\n"
    "Message-ID: <{name}@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)


def mail(name: str, text: str) -> bytes:
    return (HEAD.format(name=name) + text).encode()


@dataclass
class Provider:
    """A running service that reads a mailbox, and the mailbox."""

    refunds: "Refunds"
    sandbox: RunningSandbox

    async def rows(self, count: int) -> list[RowMapping]:
        """The mails that were taken, once there are so many and all are marked."""

        async def taken() -> bool:
            stored = await self.refunds.rows("SELECT 1 FROM support_mails")
            box = await self.sandbox.mailbox(ADDRESS)
            return len(stored) == count and all(TAKEN in one["flags"] for one in box)

        await self.refunds.stage.eventually(taken)
        return await self.refunds.rows("SELECT state, why FROM support_mails ORDER BY received_at, mail_id")


@pytest.fixture
async def provider(start: "Start") -> AsyncIterator[Provider]:
    async with running_sandbox() as sandbox:
        account = {
            "host": "127.0.0.1",
            "port": sandbox.imap_port,
            "security": "none",
            "username": ADDRESS,
            "password": "sandbox-mailbox",
        }
        yield Provider(await start(support_mailboxes={"esimka": account}), sandbox)


async def test_a_mail_is_taken_once_whatever_fails_on_the_way(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailboxes, "_AGAIN_SECONDS", 0.2)  # three times ten seconds otherwise
    life = await provider.refunds.delivered("esimka")
    await provider.refunds.stage.publish(life.contact())
    await provider.refunds.until_rows("SELECT 1 FROM contacts")
    await provider.sandbox.faults(
        {"target": "imap", "effect": "drop", "times": 1, "match": {"command": "search"}},
        {"target": "imap", "effect": "refuse", "times": 1, "match": {"command": "fetch"}},
        # The mail is stored, and the connection ends before it is marked, as with a process that is killed there.
        {"target": "imap", "effect": "drop", "times": 1, "match": {"command": "store"}},
    )
    await provider.sandbox.arrive(ADDRESS, mail("one", f"Please refund order {life.order_number}: I changed my mind."))
    assert await provider.rows(1) == [{"state": "placed", "why": None}]
    assert await provider.refunds.state(life) == "information_needed"
    [stored] = await provider.sandbox.mailbox(ADDRESS)
    assert stored["fetched"] == 2, "once before the mark was lost, and once after"
    assert len(await provider.refunds.rows("SELECT 1 FROM cases")) == 1
    assert "\\Seen" not in stored["flags"], "people who read the mailbox still see it as new"


async def test_a_mail_of_40_mb_and_bytes_that_are_no_mail_wait_for_an_agent(provider: Provider) -> None:
    large = mail("large", "a" * 60) + (b"a" * 76 + b"\r\n") * (LARGEST_MAIL // 76)
    await provider.sandbox.arrive(ADDRESS, large)
    await provider.sandbox.arrive(ADDRESS, b"\x00\x01 no mail")
    rows = await provider.rows(2)
    assert sorted(row["why"] for row in rows) == ["too_large", "unreadable"]
    assert [one["fetched"] for one in await provider.sandbox.mailbox(ADDRESS)] == [0, 1], "of the large one its head"


async def test_a_mailbox_that_cannot_be_read_is_shown_and_the_service_works_on(start: "Start") -> None:
    async with running_sandbox() as sandbox:
        account = {"host": "127.0.0.1", "port": sandbox.imap_port, "security": "none", "username": "a", "password": "x"}
        refunds = await start(support_mailboxes={"esimka": account})

        async def shown() -> bool:
            return 'support_mailbox_readable{storefront="esimka"} 0.0' in (await refunds.get("/metrics")).text

        await refunds.stage.eventually(shown)
        assert (await refunds.get("/health/ready")).status_code == 200
