"""One order, one trace, one page: what `make up` and `make demo ARGS=--stay` add to the product, end to end."""

import asyncio
from pathlib import Path

import httpx
import pytest

from local_stack.progress import Silent
from local_stack.stack import Stack
from local_stack.zipkin import PAGE_PORT, WITH_TRACES, standing
from product.judge import until
from sandbox.client import SandboxClient
from shared.testing.browser import browser
from shared.testing.documents import JsonObject
from tour.buying import Buying
from tour.orders import Buyer

pytestmark = pytest.mark.infra
SERVICES = {"ordering", "payments", "provisioning", "notifications", "refunds"}
LAST = {("notifications", "send notifications.qr-delivered"), ("refunds", "process notifications.qr-delivered")}


def names(spans: list[JsonObject]) -> set[tuple[str, str]]:
    """Zipkin writes all names small."""
    return {(span["localEndpoint"]["serviceName"], span["name"]) for span in spans}


async def view_of_a_delivered_order(stack: Stack) -> JsonObject:
    """As operations get it from ordering."""
    [shop, *_], [agent, *_] = stack.state.storefront_keys.items(), stack.state.agent_keys.values()
    async with (
        SandboxClient(stack.url("sandbox")) as sandbox,
        Buying(
            {name: stack.url(name) for name in SERVICES} | {"bank": sandbox.bank_url}, dict([shop]), agent, {}
        ) as buying,
        httpx.AsyncClient(headers={"Authorization": f"Bearer {shop[1]}"}, trust_env=False, timeout=10) as client,
    ):
        plan = (await buying.shop(shop[0])).plans[0]
        order = await buying.order(shop[0], plan, Buyer("Ada Kanareika", "ada@example.org", "+77010000001", "en"))
        await buying.pay(await buying.page(order))

        async def delivered() -> str:
            status = await buying.status(order)
            return "" if status == "delivered" else status

        await until(delivered)
        answer = await client.get(f"{stack.url('ordering')}/orders/{order.number}")
        return dict(answer.json())


@pytest.mark.long
async def test_an_orders_number_leads_to_its_trace_in_zipkin(tmp_path: Path) -> None:
    async with Stack("traces", directory=tmp_path / "traces", components=WITH_TRACES, progress=Silent()) as stack:
        view = await view_of_a_delivered_order(stack)

        async def zipkin_is_up() -> str:
            return await asyncio.to_thread(standing, stack.state)

        await until(zipkin_is_up, patience=120)
        page = stack.url(PAGE_PORT)
        assert view["trace_url"] == f"{page}/zipkin/traces/{view['trace_id']}"
        async with httpx.AsyncClient(base_url=page, trust_env=False, timeout=10) as client:
            spans: list[JsonObject] = []

            async def all_there() -> str:
                answer = await client.get(f"/api/v2/trace/{view['trace_id']}")
                spans[:] = answer.json() if answer.is_success else []
                missing = LAST - names(spans)
                return f"{answer.status_code}, missing {missing}" if missing else ""

            await until(all_there)
        assert {service for service, _ in names(spans)} == SERVICES
        known = {span["id"] for span in spans}
        # One tree: whoever has a parent hangs below a span that is there too.
        assert [span for span in spans if span.get("parentId", span["id"]) not in known] == []
        assert {span["kind"] for span in spans if span["name"].startswith("process ")} == {"CONSUMER"}
        async with browser(width=1400, height=1000) as tab:
            await tab.goto(view["trace_url"])
            await tab.wait("text=send payments.order-paid")
            shown = (await tab.text()).lower()
            await tab.screenshot(tmp_path / "trace.png")
            assert all(service in shown for service in SERVICES)
            assert tab.errors == []
            # What `make up` prints leads to the same page.
            await tab.goto(stack.url("zipkin"))
            assert tab.url.startswith(f"{page}/zipkin/")
