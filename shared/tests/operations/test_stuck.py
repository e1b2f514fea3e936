"""Stuck tasks: how they are listed, and what a retry does with parked, uncertain, failing and future ones."""

import asyncio
from datetime import timedelta

from shared.database import Tx
from shared.ids import uuid7
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome, Unknown
from shared.tasks import Task
from shared.testing.documents import JsonObject
from shared.testing.facts import paid
from shared.testing.operations import RunningToy, StartToy
from shared.testing.toy.service import Greeting


class Outside:
    """An outside world that answers by the plan's title."""

    def __init__(self) -> None:
        self.calls: list[Task[Greeting]] = []
        self.good = False
        self.hold = asyncio.Event()

    async def call(self, task: Task[Greeting]) -> Outcome[None]:
        self.calls.append(task)
        if self.good:
            return Done(None)
        match task.payload.order.plan.title:
            case "parked":
                return NeedsPerson("ask the bank")
            case "unknown":
                return Unknown("no answer", timedelta(hours=1))
            case "refused":
                return NotSent("come back later", timedelta(hours=1))
            case "held":
                await self.hold.wait()
        return Done(None)


async def listed(running: RunningToy, count: int, **filters: str) -> dict[str, JsonObject]:
    """The rows by key, once there are so many."""

    async def there() -> list[JsonObject]:
        found = (await running.get("/work", **filters))["items"]
        return found if len(found) == count else []

    return {row["key"]: row for row in await running.stage.eventually(there)}


async def test_stuck_tasks_are_performed_now_and_parked_ones_as_uncertain(enter: StartToy) -> None:
    outside = Outside()
    running = await enter(call=outside.call)
    facts = {title: paid(title) for title in ("parked", "unknown", "refused", "held")}
    await running.stage.publish(*facts.values())
    keys = {title: str(fact.order_id) for title, fact in facts.items()}
    rows = await listed(running, 3, stuck="true")
    assert {title: (rows[keys[title]]["state"], rows[keys[title]]["last_error"]) for title in list(keys)[:3]} == {
        "parked": ("parked", "ask the bank"),
        "unknown": ("unknown", "no answer"),
        "refused": ("due", "come back later"),
    }
    assert set(await listed(running, 1, state="parked")) == {keys["parked"]}
    assert set(await listed(running, 1, about=keys["refused"])) == {keys["refused"]}
    assert "payload" not in rows[keys["parked"]]
    [held] = (await listed(running, 1, about=keys["held"])).values()
    assert held["held"] is True
    ids = [row["id"] for row in rows.values()]
    stranger = str(uuid7())
    rehearsed = await running.post("/work/retry", ids=[*ids, held["id"], stranger], dry_run=True)
    assert (rehearsed["taken"], rehearsed["matched"]) == (ids, 4)
    assert {one["id"]: one["reason"] for one in rehearsed["refused"]} == {
        held["id"]: "a process has it in hand now",
        stranger: "it is not there: it was done meanwhile, or never was",
    }
    assert len(outside.calls) == 4, "a dry run calls nobody"
    outside.good = True
    assert (await running.post("/work/retry", ids=[*ids, held["id"]]))["taken"] == ids

    async def done() -> bool:
        return len(outside.calls) == 7

    await running.stage.eventually(done)
    again = {task.payload.order.plan.title: task.uncertain for task in outside.calls[4:]}
    assert again == {"parked": True, "unknown": True, "refused": False}
    outside.hold.set()
    log = (await running.get("/log"))["items"]
    assert {line["details"]["before"] for line in log} == {"parked", "unknown", "due"}
    assert {line["action"] for line in log} == {"work.retried"}


async def test_a_timer_that_is_not_over_is_not_retried(enter: StartToy) -> None:
    outside = Outside()
    running = await enter(call=outside.call)

    async def later(tx: Tx) -> None:
        tx.schedule("greet", "a deadline", {}, due_at=tx.now + timedelta(hours=1))

    async with running.service.database.transaction() as tx:
        await later(tx)
    [row] = (await listed(running, 1)).values()
    assert (await running.get("/work", stuck="true"))["items"] == []
    [refused] = (await running.post("/work/retry", ids=[row["id"]]))["refused"]
    assert refused["reason"] == "it is a timer that has not come yet, not an attempt that failed"
    assert (await listed(running, 1))["a deadline"]["due_at"] == row["due_at"]
    assert (await running.get("/summary"))["work"] == [
        {"kind": "greet", "state": "due", "rows": 1, "oldest_due_at": row["due_at"]}
    ]
    assert outside.calls == []
