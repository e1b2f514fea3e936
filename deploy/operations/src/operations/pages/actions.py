"""Actions of an operator in the services, each with an entry in the audit log before it and its outcome after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from operations.audit import AuditLog
from operations.pages.selection import Selection
from shared.kernel.services import NotAnsweredError, ServicesClient
from shared.operations.answers import DecisionResult
from shared.signin.sessions import Session

_PATHS = {"redrive": "dead-letters/redrive", "discard": "dead-letters/discard", "retry": "work/retry"}
#: Of a request that only says what would happen. The services require a reason for it too, and do not store it.
DRY_RUN: Mapping[str, Any] = {"reason": "dry run", "dry_run": True}

A = TypeVar("A", bound=BaseModel)


@dataclass(slots=True, frozen=True)
class Change:
    """A request that changes something in one service. `path`: as in `ServicesClient.change`."""

    service: str
    path: str
    body: Mapping[str, Any]


@dataclass(slots=True, frozen=True)
class Result(Generic[A]):
    """The answer of one service (None: it did not carry out the change), and the audit entry with the outcome."""

    entry: UUID
    answer: A | None


class ServiceActions:
    """Acts in the services, one after the other. A service that does not answer does not stop the others."""

    def __init__(self, client: ServicesClient, audit_log: AuditLog, session: Session, trace: str | None) -> None:
        self._client = client
        self._audit_log = audit_log
        self._session = session
        self._trace = trace

    async def preview(self, action: str, selection: Selection) -> list[dict[str, Any]]:
        """What `decide` would do: a dry run. For the shape see `_outcome`."""
        return await self._decide(action, selection, DRY_RUN)

    async def decide(self, action: str, selection: Selection, reason: str) -> UUID:
        """Redrive, discard or retry the selected rows; the audit entry with the outcome."""
        entry = await self.begin(action, str(selection), reason)
        outcomes = await self._decide(action, selection, {"reason": reason, "dry_run": False})
        await self.finish(entry, {"services": outcomes})
        return entry

    async def request(
        self,
        action: str,
        subject: str,
        reason: str,
        change: Change,
        model: type[A],
        outcome: Callable[[A], dict[str, Any]],
    ) -> Result[A]:
        """Send one change to one service. `outcome`: the part of its answer that the audit log stores; no secret."""
        entry = await self.begin(action, subject, reason)
        try:
            answer = await self.send(change, model)
        except NotAnsweredError as error:
            await self.finish(entry, problem_outcome(change.service, error))
            return Result(entry, None)
        await self.finish(entry, outcome(answer))
        return Result(entry, answer)

    async def send(self, change: Change, model: type[A]) -> A:
        """Send a change without an audit entry: for dry runs, and between `begin` and `finish`."""
        person = self._session.name
        return await self._client.change(change.service, model, change.path, change.body, person, self._trace)

    async def begin(self, action: str, subject: str, reason: str) -> UUID:
        """Write an audit entry before the action."""
        return await self._audit_log.begin(self._session.who, action, subject, reason)

    async def finish(self, entry: UUID, outcome: Mapping[str, Any]) -> None:
        """Add the outcome to the audit entry."""
        await self._audit_log.finish(entry, outcome)

    async def _decide(self, action: str, selection: Selection, common: Mapping[str, Any]) -> list[dict[str, Any]]:
        outcomes: list[dict[str, Any]] = []
        remaining = selection.limit
        for service, rows in selection.bodies(self._client.names):
            if selection.filter is not None and remaining < 1:
                outcomes.append({"service": service, "problem": "was not asked: the limit was reached before"})
                continue
            body = {**rows, **common}
            if action != "retry":
                body["limit"] = len(rows["ids"]) if selection.filter is None else remaining
            try:
                result = await self.send(Change(service, _PATHS[action], body), DecisionResult)
            except NotAnsweredError as error:
                outcomes.append({"service": service, "problem": str(error), "unknown": error.unknown})
                continue
            remaining -= len(result.taken) + len(result.refused)
            outcomes.append(_outcome(result))
        return outcomes


def problem_outcome(service: str, error: NotAnsweredError) -> dict[str, Any]:
    """The outcome of a change that a service did not carry out."""
    unknown = "; it may have been done all the same" if error.unknown else ""
    return {"not done": f"{service} {error}{unknown}"}


def _outcome(result: DecisionResult) -> dict[str, Any]:
    """`service, matched, taken: [id], refused: [{id, reason}], left`; or `service, problem, unknown`."""
    return result.model_dump(mode="json", exclude={"dry_run"})
