"""Keeps what operators reported last about each eSIM."""

from collections.abc import Mapping, Sequence

from ordering.orders.store import record_observations
from shared.contracts import Event, ProfileObserved
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


async def profile_observed(tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
    """Keep the newest report of the install state and of the usage, each by its own time, in whatever sequence."""
    await record_observations(tx, [received.event for received in batch])


HANDLERS: Mapping[type[Event], Handler] = {ProfileObserved: profile_observed}
