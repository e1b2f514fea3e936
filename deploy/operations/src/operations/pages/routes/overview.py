"""The overview: the services, the invariants, the operators, the last hour."""

from fastapi import APIRouter
from fastapi.responses import Response

from operations.dependencies import ServiceUrls
from operations.invariants import all_invariants
from operations.pages.dependencies import Viewing
from operations.pages.rendering import BASE
from operations.pages.rules import concerns, service_state
from operations.pages.store import broken_since, last_hour
from operations.services import last_answers
from shared.kernel.dependencies import ServiceClock
from shared.operations.answers import Summary
from shared.signin.rendering import redirect

_REFRESH_SECONDS = 15
routes = APIRouter()


@routes.get("/")
async def root() -> Response:
    return redirect(BASE)


@routes.get(BASE)
async def overview(viewer: Viewing, urls: ServiceUrls, clock: ServiceClock, refresh: bool = False) -> Response:
    answers = await viewer.services.read_all(Summary, "summary", viewer.trace)
    async with viewer.database.reading() as tx:
        polled = await last_answers(tx, urls)
        invariants = await all_invariants(tx)
        hour, since = await last_hour(tx), await broken_since(tx)
    now = clock.now()
    by_service = {answer.service: answer for answer in answers}
    states = [service_state(by_service[view.service], view, now) for view in polled]
    broken = [view for view in invariants if view.violations]
    return viewer.page(
        "overview",
        states=states,
        operators=[operator for view in polled for operator in view.operators or ()],
        concerns=concerns(states, broken),
        broken=broken,
        invariants=invariants,
        since=since,
        hour=hour,
        refresh=_REFRESH_SECONDS if refresh else 0,
    )
