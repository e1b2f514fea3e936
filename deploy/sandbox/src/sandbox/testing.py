"""`async with running_sandbox() as sb:` gives a test its own sandbox, on free ports, inside its own loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from sandbox.bank.tokens import LONG_SCOPE
from sandbox.client import SandboxClient
from sandbox.server import Server
from sandbox.settings import Settings
from sandbox.stands import Stands

__all__ = ["Json", "JsonObject", "RunningSandbox", "running_sandbox"]

#: A parsed JSON value; what is in it is what a test asserts.
Json: TypeAlias = Any
#: A parsed JSON object: a response, a webhook, an entry of a ledger.
JsonObject: TypeAlias = dict[str, Any]


class RunningSandbox(SandboxClient):
    """The client of a sandbox in this very process; `stands` lets a test look inside."""

    def __init__(self, server: Server, host: str) -> None:
        super().__init__(f"http://{host}:{server.http_port}", host, server.smtp_port)
        self.stands: Stands = server.stands
        self.imap_port = server.imap_port

    async def webhooks_idle(self) -> None:
        """Return when every webhook has been delivered, dropped or given up."""
        await self.stands.bank.webhooks.idle()

    async def return_by_bank_staff(self) -> None:
        """Return the whole of the bank's one payment, as its own staff would do it."""
        form = {
            "grant_type": "client_credentials",
            "scope": LONG_SCOPE,
            "client_id": "sandbox",
            "client_secret": "sandbox-secret",
            "terminal": Settings().bank_terminals[0],
        }
        [transaction] = await self.ledger_bank()
        token = (await self.client.post("/epay/oauth2/token", data=form)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        answer = await self.client.post(f"/epay/api/operation/{transaction['id']}/refund", headers=headers)
        answer.raise_for_status()

    async def struck(self, seconds: float = 10.0) -> None:
        """Return when the newest fault rule has struck. Raises TimeoutError after so many seconds."""
        async with asyncio.timeout(seconds):
            while not (await self.active_faults())[-1]["hits"]:  # noqa: ASYNC110 - asked as any client has to ask
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running_sandbox(**settings: Any) -> AsyncIterator[RunningSandbox]:
    """A sandbox with these `Settings`, on ports nobody else has; webhooks are retried fast."""
    chosen: dict[str, Any] = {
        "http_port": 0,
        "smtp_port": 0,
        "imap_port": 0,
        "webhook_first_retry_seconds": 0.05,
        "webhook_longest_retry_seconds": 0.5,
        **settings,
    }
    server = Server(Settings(**chosen))
    await server.start()
    sandbox = RunningSandbox(server, chosen.get("host", "127.0.0.1"))
    try:
        yield sandbox
    finally:
        await sandbox.close()
        await server.stop()
