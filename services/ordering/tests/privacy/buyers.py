"""An order of a buyer who asks for something, and the keys and people of the tests of buyers' rights."""

import base64
from typing import TYPE_CHECKING

import httpx
from nacl.public import PrivateKey
from pydantic import SecretStr

from shared.contracts import ConfirmationRequested
from shared.sealed import Opener
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop

NOTIFICATIONS = Opener(base64.b64encode(bytes(PrivateKey.generate())).decode())
PRIVACY_KEY = SecretStr("a-privacy-key-of-tests")
COMPANY = {"name": "Example LLC", "number": "204378869", "country": "GE"}
AGENT = {"Authorization": "Bearer agents-key"}
IDENTIFIED: JsonObject = {"by": "call_back", "reference": "2026/4711"}
#: What is stored of it besides.
NOT_SAID: JsonObject = dict.fromkeys(("authority", "document_date", "authority_date"))


class Buyer:
    """An order of a buyer who asks for something, and what notifications would send them."""

    def __init__(self, stage: Stage, shop: "Shop", order: JsonObject) -> None:
        self.stage, self.shop, self.order = stage, shop, order
        self.codes = 0

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self.shop.http.post(path, json=body, headers=self.shop.auth())

    async def correct(self, **fields: object) -> httpx.Response:
        return await self.post(f"/orders/{self.order['order_id']}/contact-changes", fields)

    async def ask(self, kind: str, **headers: str) -> httpx.Response:
        body = {"order": self.order["order_number"], "kind": kind}
        return await self.shop.http.post("/privacy/requests", json=body, headers=self.shop.auth() | headers)

    async def code(self) -> tuple[str, ConfirmationRequested]:
        self.codes += 1
        event = (await self.stage.events(ConfirmationRequested, count=self.codes))[-1].event
        return NOTIFICATIONS.open(event.code).decode(), event

    async def confirm(self, requested: httpx.Response, code: str | None = None) -> httpx.Response:
        self.codes += 1
        identity = requested.json()["confirmation_id"]
        # By its id: the codes of two orders may be on two partitions, in whatever order.
        found = await self.stage.events(
            ConfirmationRequested, where=lambda event: str(event.confirmation_id) == identity
        )
        right = NOTIFICATIONS.open(found[0].event.code).decode()
        return await self.post(f"/confirmations/{identity}", {"code": code or right})
