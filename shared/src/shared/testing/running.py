"""What the tests of every service ask of one that runs."""

from dataclasses import dataclass

import httpx

from shared.kernel.service import Service
from shared.testing.documents import RowMapping
from shared.testing.stage import PATIENCE, Stage


@dataclass
class RunningService:
    """A running service; each service's tests extend it with their own steps."""

    service: Service
    stage: Stage

    @property
    def address(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.service.port}"

    def http(self) -> httpx.AsyncClient:
        """A client of the service, as patient as a test; without a key."""
        return httpx.AsyncClient(base_url=self.address, timeout=PATIENCE, trust_env=False)

    async def request(
        self, method: str, path: str, *, key: str | None, json: object = None, content: bytes | None = None
    ) -> httpx.Response:
        """Send a request over HTTP; `key` is the caller's API key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.http() as client:
            return await client.request(method, path, headers=headers, json=json, content=content)

    async def get(self, path: str, key: str | None = "agent-key") -> httpx.Response:
        """GET over HTTP, as an agent where no key is named."""
        return await self.request("GET", path, key=key)

    async def rows(self, sql: str, **parameters: object) -> list[RowMapping]:
        """Rows of the service's database."""
        async with self.service.database.reading() as tx:
            return (await tx.execute(sql, **parameters)).mappings()

    async def until_rows(self, sql: str, **parameters: object) -> list[RowMapping]:
        """Rows of the service's database, as soon as there are some."""
        return await self.stage.eventually(lambda: self.rows(sql, **parameters))

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric, 0 where its labels have none yet. Raises AssertionError for a name that is none."""
        registry = self.service.metrics.registry
        known = {family.name for family in registry.collect()}
        if name.removesuffix("_total") not in known:
            raise AssertionError(f"there is no metric {name}")
        return registry.get_sample_value(name, labels) or 0.0
