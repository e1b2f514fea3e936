"""The process: start, serve, survive a restart and a kill, stop on SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.client import SandboxClient
from sandbox.settings import Settings
from sandbox.storefront import IN_PROGRESS
from sandbox.testing import running_sandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop


@asynccontextmanager
async def process(directory: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, SandboxClient]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")} | {
        "SANDBOX_DATA_DIR": str(directory)
    }
    environ |= {"SANDBOX_HTTP_PORT": "0", "SANDBOX_SMTP_PORT": "0"}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "sandbox", "serve", env=environ, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    line = (await asyncio.wait_for(child.stdout.readline(), 30)).decode()
    url = line.split()[1]
    async with SandboxClient(url, smtp_port=int(line.strip().rsplit(":", 1)[1])) as sandbox:
        try:
            yield child, sandbox
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


async def test_it_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    async with process(tmp_path) as (child, sandbox):
        assert await sandbox.healthy()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 20) == 0


async def test_ledgers_survive_a_kill(tmp_path: Path, shop: "Shop") -> None:
    async with process(tmp_path) as (child, sandbox):
        payment = await sandbox.payment_object("200001", 100, postLink=shop.url)
        await sandbox.pay(payment, IN_PROGRESS)
        header = {"functionRequesterIdentifier": "a", "functionCallIdentifier": "b"}
        await sandbox.client.post(
            "/operator/gsma/rsp2/es2plus/downloadOrder",
            json={"header": header, "profileType": "A"},
            headers={"X-Admin-Protocol": "gsma/rsp/v2.5.0"},
        )
        child.kill()
        await child.wait()
    with (tmp_path / "bank.jsonl").open("ab") as journal:
        journal.write(b'{"id": "half a li')
    async with process(tmp_path) as (_child, sandbox):
        (transaction,) = await sandbox.ledger_bank()
        assert transaction["invoiceID"] == "200001"
        assert await sandbox.ledger_bank(since=1) == []
        (profile,) = await sandbox.ledger_operator()
        assert profile["state"] == "reserved"
        await sandbox.settle("200001")
        assert (await shop.webhook())["invoiceId"] == "200001"


async def test_an_undelivered_webhook_goes_on_after_a_restart(tmp_path: Path, shop: "Shop") -> None:
    shop.answers.append(500)
    async with running_sandbox(data_dir=tmp_path, webhook_first_retry_seconds=600) as sb:
        await sb.pay(await sb.payment_object("200001", 100, postLink=shop.url))
        await shop.webhook()
    async with running_sandbox(data_dir=tmp_path) as sb:
        await shop.webhook()
        await sb.webhooks_idle()
        transaction = await sb.transaction("200001")
        assert transaction
        assert transaction["webhook"]["state"] == "delivered"


def test_settings_from_the_environment() -> None:
    read = Settings.from_environment(
        {
            "SANDBOX_HTTP_PORT": "1",
            "SANDBOX_DATA_DIR": "data",
            "SANDBOX_PROFILE_TYPES": "A, B",
            "SANDBOX_BANK_DEDUPLICATE_REFUNDS": "true",
            "SANDBOX_WEBHOOK_FIRST_RETRY_SECONDS": "0.5",
            "SANDBOX_BANK_PARTIAL_REFUND_STATUS": "REFUND",
            "SANDBOX_HOST": "",
        }
    )
    assert (read.http_port, read.smtp_port, read.host) == (1, 8025, "127.0.0.1")
    assert (read.data_dir, read.profile_types) == (Path("data"), ("A", "B"))
    assert read.bank_deduplicate_refunds is True
    assert read.bank_partial_refund_status == "REFUND"


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP_PORT", "x"), ("BANK_UNIQUE_TAIL", "maybe"), ("BANK_PARTIAL_REFUND_STATUS", "GONE")],
)
def test_unreadable_settings_end_with_a_sentence(name: str, value: str) -> None:
    with pytest.raises(SystemExit, match=f"SANDBOX_{name}"):
        Settings.from_environment({f"SANDBOX_{name}": value})
