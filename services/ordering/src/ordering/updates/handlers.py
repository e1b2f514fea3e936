"""Records the facts that the other services publish about orders, in any sequence and any number of times.

Each new fact that shops hear of becomes an update, in the same transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ordering.timeline.models import RecordedFact
from ordering.timeline.rules.facts import FACT_OF, observed_facts
from ordering.updates.actions import record, record_earliest
from shared.contracts import Event, ProfileObserved
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


async def profile_observed(tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
    """Record when profiles were installed, activated and deleted. A later event may report an earlier time."""
    await record_earliest(
        tx,
        [
            (received.event.order_id, replace(fact, trace=received.trace))
            for received in batch
            for fact in observed_facts(received.event)
        ],
    )


def _recording(fact_of: Callable[[Any], RecordedFact]) -> Handler:
    """A handler that records one fact for each event of a batch, with one statement."""

    async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
        facts = [
            (received.event.order_id, replace(fact_of(received.event), trace=received.trace)) for received in batch
        ]
        await record(tx, facts)

    return handle


HANDLERS: Mapping[type[Event], Handler] = {
    **{event_class: _recording(fact_of) for event_class, fact_of in FACT_OF.items()},
    ProfileObserved: profile_observed,
}
