"""The operations page with a small service behind it, accounts, and a browser."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from operations.app import build
from operations.settings import Settings
from ordering.app import build as build_ordering
from ordering.settings import Settings as OrderingSettings
from shared.contracts import OrderEvent
from shared.kernel.service import Service
from shared.outcomes import Done, Outcome
from shared.signin.passwords import hashed
from shared.tasks import Task
from shared.testing.browser import Page
from shared.testing.documents import JsonObject, RowMapping
from shared.testing.running import RunningService
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.service import Call
from shared.testing.toy.settings import Settings as ToySettings

PASSWORD = "correct horse battery"
KEY = "the services' operations key"
TOY = "shared.testing.toy"
#: Where to put pictures of the pages, for whoever wants to look at them.
SHOTS = os.environ.get("PAGE_PICTURES")
_HASHED = hashed(PASSWORD)


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert found is not None, html
    return found[1]


@dataclass
class Console(RunningService):
    """The page, the service behind it, and what tests ask of both."""

    toy: Service
    #: What the toy calls, under `call`; replaced by tests.
    outside: dict[str, Call] = field(default_factory=dict)

    hidden = staticmethod(hidden)

    def url(self, path: str = "") -> str:
        return f"{self.address}/console{path}"

    async def of_toy(self, sql: str, **parameters: object) -> list[RowMapping]:
        async with self.toy.database.reading() as tx:
            return (await tx.execute(sql, **parameters)).mappings()

    async def known(self, *orders: OrderEvent) -> None:
        """Until the read model has all published facts of these orders."""
        ids = [one.order_id for one in orders]
        sql = "SELECT count(DISTINCT order_id) AS n FROM facts WHERE order_id = ANY(CAST(:ids AS uuid[]))"

        async def all_there() -> bool:
            return bool((await self.rows(sql, ids=ids))[0]["n"] == len(set(ids)))

        await self.stage.eventually(all_there)

    async def sign_in(self, page: Page, name: str = "olga", password: str = PASSWORD, *, arrives: bool = True) -> None:
        await page.goto(self.url())
        await page.fill("#name", name)
        await page.fill("#password", password)
        await page.driven.keyboard.press("Enter")
        if arrives:
            await page.wait("text=Sign out")

    async def attempt(self, client: httpx.AsyncClient, password: str, name: str = "olga") -> int:
        """Try to sign in; the status."""
        shown = await client.get(self.url("/sign-in"))
        form = {"name": name, "password": password, "token": hidden(shown.text, "token")}
        return (await client.post(self.url("/sign-in"), data=form)).status_code

    @asynccontextmanager
    async def client(self, name: str = "olga") -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
        """Somebody who is signed in without a browser, and the token of their forms."""
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            assert await self.attempt(client, PASSWORD, name) == 303
            yield client, hidden((await client.get(self.url("/audit"))).text, "csrf")


async def shot(page: Page, name: str) -> None:
    """Pictures: at the present width, in the dark, and at a telephone's width."""
    if SHOTS is None:
        return
    await page.screenshot(Path(SHOTS) / f"{name}.png")
    await page.driven.emulate_media(color_scheme="dark")
    await page.screenshot(Path(SHOTS) / f"{name}-dark.png")
    await page.driven.emulate_media(color_scheme="light")
    size = page.driven.viewport_size
    await page.driven.set_viewport_size({"width": 390, "height": 844})
    await page.screenshot(Path(SHOTS) / f"{name}-narrow.png")
    if size is not None:
        await page.driven.set_viewport_size(size)


Open = Callable[..., Awaitable[Console]]
Look = Callable[[Page, str], Awaitable[None]]


@pytest.fixture
async def console(stage: Stage) -> Open:
    """Start both. `olga` is an operator, `vera` a viewer."""

    async def start(**overrides: object) -> Console:
        outside: dict[str, Call] = {}

        async def call(task: Task[toy.Greeting]) -> Outcome[None]:
            return await outside["call"](task) if "call" in outside else Done(None)

        behind = await stage.service(
            lambda settings: toy.build(settings, call=call), ToySettings, operations_keys={"operations": SecretStr(KEY)}
        )
        settings: JsonObject = {
            "services": {TOY: f"http://127.0.0.1:{behind.port}"},
            "operations_key": KEY,
            "search_key": "a-search-key-for-tests",
            "public_url": "http://127.0.0.1",
            "consumer_pause_seconds": 0.0,
            "evaluation_seconds": 0.5,
            **overrides,
        }
        service = await stage.service(build, Settings, **settings)
        async with service.database.transaction() as tx:
            for name, role in (("olga", "operator"), ("vera", "viewer")):
                await tx.execute(
                    "INSERT INTO accounts (name, password_hash, role, created_at) VALUES (:name, :hashed, :role, :now)",
                    name=name,
                    hashed=_HASHED,
                    role=role,
                    now=tx.now,
                )
        return Console(service, stage, behind, outside)

    return start


@pytest.fixture
async def ordering(stage: Stage) -> Service:
    """Ordering itself, which the page may act upon; its webhooks may go to this machine."""
    return await stage.service(
        build_ordering,
        OrderingSettings,
        operations_keys={"operations": SecretStr(KEY)},
        webhook_private_networks=["127.0.0.0/8"],
    )


@pytest.fixture
def look() -> Look:
    """Takes a picture, where pictures are wanted."""
    return shot
