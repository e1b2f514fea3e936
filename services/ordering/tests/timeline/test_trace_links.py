"""Links from the timeline to the trace of each step, for operations."""

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import OrderPlaced
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import StartShop

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_operations_get_a_link_to_each_span(stage: Stage, shop_of: "StartShop") -> None:
    template = "http://traces.example/trace/{trace_id}?uiFind={span_id}"
    shop = await shop_of(build, Settings, trace_url_template=template)
    content = (await shop.place(traceparent=TRACE)).json()
    await stage.events(OrderPlaced)
    view = (await shop.get(content["links"]["self"])).json()
    [line] = (await shop.get(content["links"]["timeline"])).json()
    wanted = template.format(trace_id=line["trace_id"], span_id=line["span_id"])
    assert view["trace_url"] == line["trace_url"] == wanted
    assert TRACE[3:35] in wanted


def test_a_template_that_names_something_else_ends_the_process() -> None:
    with pytest.raises(ValidationError):
        Settings(database_url="x", kafka_bootstrap_servers="x", trace_url_template="http://x/{order}")
