"""Operations has read every event: what must hold across the services holds."""

from datetime import UTC, datetime
from typing import Any

import httpx

from tour.expectations import Outcome, UnmetError, until
from tour.stage import Stage

NAME = "What must hold"
WORDS = (
    "A sixth process has listened all the time. It serves no buyer; it compares what the services say of each order "
    "with what must hold across them: paid means a profile or the money back, nothing is delivered unpaid, no money "
    "goes back twice."
)
_SECONDS = 60.0


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Wait until every event until now has been read and judged, and compare with the bank's own ledger."""
    url, key = stage.stack.url("operations"), stage.stack.state.operations_keys["operator"]
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
        with stage.narrator.step("Operations reads to the end") as step:
            seen = await _judged(http)
            captures = (await stage.books()).captures
            outcome.expect(
                captures == seen["paid"] + seen["surplus_captures"],
                f"operations knows of {captures} captures, as the bank does",
                "operations",
            )
            step.done(f"{seen['invariants']} invariants hold over all {seen['orders']} orders of this tour")
        stage.narrator.say(f"bank        {captures} captures")
        stage.narrator.say(f"operations  {seen['paid']} paid orders, {seen['surplus_captures']} second captures")
        stage.narrator.say(f"operations  {seen['facts']} facts")


async def _judged(http: httpx.AsyncClient) -> dict[str, Any]:
    """The overview as soon as nothing is broken, of a moment after this call. Raises UnmetError."""
    now = datetime.now(UTC)
    last: dict[str, Any] = {}

    async def look() -> dict[str, Any] | None:
        last.update((await http.get("/overview")).raise_for_status().json())
        fresh = last["as_of"] is not None and datetime.fromisoformat(last["as_of"]) > now
        return last if fresh and not last["broken"] else None

    try:
        return await until(look, "everything that must hold holds", "operations", seconds=_SECONDS, every=0.2)
    except UnmetError as error:
        broken = ", ".join(last.get("broken") or ["nothing was evaluated"])
        raise UnmetError(f"{error} ({broken})", *error.logs) from None
