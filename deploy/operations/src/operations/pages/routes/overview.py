"""The first page: the services, the invariants, the operators, the last hour; and the invariants one by one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from operations.clients.services import NO_ANSWER, Answer
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from operations.pages.store import broken_since, last_hour
from operations.reading import InvariantView, Reading, ServiceView
from shared.kernel.problems import Problem
from shared.operations.answers import Summary, WorkCount
from shared.signin.rendering import redirect
from shared.values.opaque import Named

#: Due work that nobody has taken for so long is late; a healthy service takes it within a second.
_LATE = timedelta(minutes=1)
_REFRESH_SECONDS = 15


@dataclass(slots=True, frozen=True)
class Line:
    """A service on the page. `state`: ready, not ready, or does not answer; `why` where it is not ready."""

    service: str
    state: str
    why: str
    summary: Summary | None
    late_since: datetime | None
    outbox_seconds: float | None

    @property
    def well(self) -> bool:
        return self.state == "ready"

    @property
    def waiting(self) -> int:
        """Dead letters that nobody has decided about."""
        return 0 if self.summary is None else self.summary.dead_letters.waiting

    def rows(self, state: str) -> int:
        """Due work in that state."""
        return sum(one.rows for one in self.work if one.state == state)

    @property
    def work(self) -> Sequence[WorkCount]:
        return self.summary.work if self.summary is not None else ()


def router(room: Room, reading: Reading) -> APIRouter:
    """`/console`, `/console/invariants`, `/console/invariants/{name}`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def root() -> Response:
        return redirect(BASE)

    @routes.get(BASE)
    async def overview(request: Request, refresh: bool = False) -> Response:
        session = await room.sessions.of(request)
        answers, polled, invariants = await asyncio.gather(
            room.client.everywhere(Summary, "summary", request.state.trace), reading.services(), reading.invariants()
        )
        async with room.database.reading() as tx:
            figures, since = await last_hour(tx), await broken_since(tx)
        now = room.now()
        told = {one.service: one for one in answers}
        lines = [_line(told[one.service], one, now) for one in polled]
        broken = [one for one in invariants if one.violations]
        return page(
            "overview",
            session=session,
            now=now,
            lines=lines,
            operators=[(one, each) for one in polled for each in one.operators or ()],
            concerns=_concerns(lines, broken),
            broken=broken,
            invariants=invariants,
            since=since,
            figures=figures,
            refresh=_REFRESH_SECONDS if refresh else 0,
        )

    @routes.get(f"{BASE}/invariants")
    async def listing(request: Request) -> Response:
        session = await room.sessions.of(request)
        every = sorted(await reading.invariants(), key=_broken_first)
        async with room.database.reading() as tx:
            since = await broken_since(tx)
        return page("invariants", session=session, now=room.now(), invariants=every, since=since)

    @routes.get(f"{BASE}/invariants/{{name}}")
    async def one(request: Request, name: Named) -> Response:
        session = await room.sessions.of(request)
        found = await reading.invariant(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-invariant", "There is no invariant of this name.")
        return page("invariant", session=session, now=room.now(), invariant=found)

    return routes


def _concerns(lines: Sequence[Line], broken: Sequence[InvariantView]) -> list[str]:
    """What a person should look at, in words."""
    counts = (
        (sum(not line.well for line in lines), "service not ready", "services not ready"),
        (len(broken), "invariant broken", "invariants broken"),
        (sum(line.waiting for line in lines), "dead letter waiting", "dead letters waiting"),
        (sum(line.rows("parked") for line in lines), "piece of work parked", "pieces of work parked"),
    )
    return [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]


def _broken_first(one: InvariantView) -> bool:
    return not one.violations


def _line(answer: Answer[Summary], polled: ServiceView, now: datetime) -> Line:
    """What a service says itself, now."""
    summary = answer.found
    if summary is None:
        return Line(polled.service, *_unasked(answer, polled, now), None, None, None)
    problems = summary.consumer.problems
    due = [one.oldest_due_at for one in summary.work if one.state == "due" and now - one.oldest_due_at > _LATE]
    oldest = summary.outbox.oldest
    return Line(
        polled.service,
        "not ready" if problems else "ready",
        summary.consumer.halted or _checks(problems),
        summary,
        min(due, default=None),
        None if oldest is None else max(0.0, (now - oldest).total_seconds()),
    )


def _unasked(answer: Answer[Summary], polled: ServiceView, now: datetime) -> tuple[str, str]:
    """State and reason of a service that says nothing of itself: where it may not be asked, as it was when polled."""
    if answer.asked:
        return ("does not answer", "") if answer.problem == NO_ANSWER else ("not ready", answer.problem or "")
    if polled.asked_at is None or now - polled.asked_at > _LATE:
        return "not known", answer.problem or ""
    return ("ready" if polled.ready else "not ready"), _checks(polled.checks) or polled.problem or ""


def _checks(problems: dict[str, Any]) -> str:
    return "; ".join(f"{part} {problem}" for part, problem in problems.items() if problem not in ("ok", None))
