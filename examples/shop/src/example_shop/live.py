"""The open page of an order follows it: server-sent events, woken by webhooks."""

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse

from example_shop.context import Visit, Visiting
from example_shop.order_pages import order_values

router = APIRouter()
#: Without a webhook the service is asked after so many seconds: the receiver may have been down. It also keeps proxies
#: from closing a silent connection.
ASK_AFTER_SECONDS = 10.0


@router.get("/orders/{ref}/part")
async def part(visit: Visiting, ref: str) -> HTMLResponse:
    """The part of the page that changes."""
    return visit.page("order_part.html", await order_values(visit, ref))


@router.get("/orders/{ref}/events")
async def events(visit: Visiting, ref: str) -> StreamingResponse:
    """`changed` whenever the order may have changed."""
    visit.order(ref)
    return StreamingResponse(
        _changes(visit, ref), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _changes(visit: Visit, ref: str) -> AsyncIterator[str]:
    # At once: something may have come between the page and this connection.
    yield "retry: 1000\nevent: changed\ndata: opened\n\n"
    while True:
        rung = await visit.shop.bell.wait(ref, ASK_AFTER_SECONDS)
        yield f"event: changed\ndata: {'webhook' if rung else 'time'}\n\n"
