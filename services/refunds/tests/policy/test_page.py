"""`GET /policies`: HTML for lawyers, JSON for programs."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from refunds.policy import OrderPolicies
from refunds.policy.dependencies import policies_of
from refunds.policy.routes import routes
from refunds.policy.store import policies_in
from shared.clock import SystemClock
from shared.kernel.problems import install
from shared.testing.shops import EXAMPLES


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install(app)
    app.state.service = SimpleNamespace(clock=SystemClock())
    app.dependency_overrides[policies_of] = lambda: OrderPolicies(lambda: policies_in(EXAMPLES))
    app.include_router(routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://refunds") as client:
        yield client


class Reader(HTMLParser):
    """Table cells as text, and tags that were opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.cells[-1] += data


@pytest.mark.parametrize("storefront", ["qazaq-esim", "e-sim-onl", "esimka"])
async def test_the_page_shows_every_rule(client: httpx.AsyncClient, storefront: str) -> None:
    answer = await client.get(f"/policies/{storefront}", headers={"accept": "text/html,application/json;q=0.9"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    reader = Reader()
    reader.feed(answer.text)
    assert reader.open == []
    [policy] = policies_in(EXAMPLES).versions(storefront)
    for rule in (*policy.approve, *policy.refuse, *policy.otherwise):
        assert any(", ".join(rule.clauses) in cell for cell in reader.cells)
        for ground in rule.ground:
            assert any(ground.en in cell and ground.ru in cell for cell in reader.cells)
    assert '<th scope="col">Clauses</th>' in answer.text


async def test_programs_get_json(client: httpx.AsyncClient) -> None:
    answer = await client.get("/policies/esimka", headers={"accept": "application/json"})
    assert answer.json()["policy"] == "esimka@2026-04-22"
    assert answer.json()["text"]["deadlines"]["restore_by"]["hours"] == 72
    assert answer.headers["vary"] == "Accept"
    every = (await client.get("/policies", headers={"accept": "application/json"})).json()
    assert {one["policy"] for one in every} == {"qazaq-esim@1", "e-sim-onl@2026-03", "esimka@2026-04-22"}
    assert 'href="/policies/esimka?version=2026-04-22"' in (await client.get("/policies")).text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("at=2026-11-01", 200),
        ("at=2026-11-01T12:00:00%2B05:00", 200),
        ("at=2026-11-01T12:00:00+05:00", 200),
        ("at=2026-11-01T12:00:00Z", 200),
        ("version=1", 200),
        ("version=2", 404),
        ("at=2026-11-01T12:00:00", 422),
        ("at=yesterday", 422),
        ("at=0001-01-01", 422),
    ],
)
async def test_a_version_is_chosen_by_name_or_moment(client: httpx.AsyncClient, query: str, status: int) -> None:
    answer = await client.get(f"/policies/qazaq-esim?{query}")
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["errors"][0]["field"] == "at"
    if status == 404:
        assert answer.json()["type"] == "urn:problem:unknown-policy"
    assert (await client.get("/policies/newcomer")).status_code == 404
