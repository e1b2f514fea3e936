"""What people do through the services: recorded before, done in their name, and its outcome recorded after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from operations.audit.store import Trail
from operations.clients.services import NotAnsweredError, ServicesClient
from operations.pages.selection import Chosen
from shared.operations.answers import DecisionResult
from shared.signin.sessions import Session

_ACTIONS = {"redrive": "dead-letters/redrive", "discard": "dead-letters/discard", "retry": "work/retry"}
#: The services ask for a reason also where nothing is done; it is not kept.
_ONLY_LOOKING = "dry run"


A = TypeVar("A", bound=BaseModel)


@dataclass(slots=True, frozen=True)
class Call:
    """A request that changes something in one service. `path`: as in `ServicesClient.act`."""

    service: str
    path: str
    body: Mapping[str, Any]


@dataclass(slots=True, frozen=True)
class Done(Generic[A]):
    """What one service answered (None: it did not do it), and the entry of the audit trail that says so."""

    entry: UUID
    result: A | None


class Hands:
    """Acts in several services, one after the other. A service that does not answer does not keep the others."""

    def __init__(self, client: ServicesClient, trail: Trail) -> None:
        self._client = client
        self._trail = trail

    async def look(self, session: Session, action: str, chosen: Chosen, trace: str | None) -> list[dict[str, Any]]:
        """What would be done: a dry run. For the shape see `_outcome`."""
        return await self._ask(session, action, chosen, {"reason": _ONLY_LOOKING, "dry_run": True}, trace)

    async def act(self, session: Session, action: str, chosen: Chosen, reason: str, trace: str | None) -> UUID:
        """Do it; the entry of the audit trail that says how it ended."""
        entry = await self._trail.begin(session.who, action, str(chosen), reason)
        outcomes = await self._ask(session, action, chosen, {"reason": reason, "dry_run": False}, trace)
        await self._trail.finish(entry, {"services": outcomes})
        return entry

    async def ask(
        self,
        session: Session,
        action: str,
        subject: str,
        reason: str,
        call: Call,
        model: type[A],
        trace: str | None,
        *,
        outcome: Callable[[A], dict[str, Any]],
    ) -> Done[A]:
        """One request to one service. `outcome`: what of its answer the audit trail keeps; no secret."""
        entry = await self.begin(session, action, subject, reason)
        try:
            result = await self._client.act(call.service, model, call.path, call.body, session.name, trace)
        except NotAnsweredError as error:
            await self.finish(entry, self.problem(call.service, error))
            return Done(entry, None)
        await self.finish(entry, outcome(result))
        return Done(entry, result)

    async def begin(self, session: Session, action: str, subject: str, reason: str) -> UUID:
        """An entry of the audit trail, before something is done."""
        return await self._trail.begin(session.who, action, subject, reason)

    async def finish(self, entry: UUID, outcome: Mapping[str, Any]) -> None:
        """How it ended."""
        await self._trail.finish(entry, outcome)

    @staticmethod
    def problem(service: str, error: NotAnsweredError) -> dict[str, Any]:
        """A service that did not do it, for the audit trail."""
        unknown = "; it may have been done all the same" if error.unknown else ""
        return {"not done": f"{service} {error}{unknown}"}

    async def _ask(
        self, session: Session, action: str, chosen: Chosen, common: Mapping[str, Any], trace: str | None
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        remaining = chosen.limit
        for service, what in chosen.bodies(self._client.names):
            if chosen.filter is not None and remaining < 1:
                found.append({"service": service, "problem": "was not asked: the limit was reached before"})
                continue
            body = {**what, **common}
            if action != "retry":
                body["limit"] = len(what["ids"]) if chosen.filter is None else remaining
            try:
                outcome = await self._client.act(service, DecisionResult, _ACTIONS[action], body, session.name, trace)
            except NotAnsweredError as error:
                found.append({"service": service, "problem": str(error), "unknown": error.unknown})
                continue
            remaining -= len(outcome.taken) + len(outcome.refused)
            found.append(_outcome(outcome))
        return found


def _outcome(outcome: DecisionResult) -> dict[str, Any]:
    """`service, matched, taken: [id], refused: [{id, reason}], left`; or `service, problem, unknown`."""
    return outcome.model_dump(mode="json", exclude={"dry_run"})
