"""Stores the API keys that ordering publishes, in a service that shops call."""

from collections.abc import Mapping, Sequence

from shared.contracts.base import Event
from shared.contracts.ordering import ApiKeyChanged
from shared.database import Tx
from shared.keys import store
from shared.messaging.consumer import Handler, Received


async def api_key_changed(tx: Tx, batch: Sequence[Received[ApiKeyChanged]]) -> None:
    """Store keys and revocations."""
    await store.record(tx, [received.event for received in batch])


HANDLERS: Mapping[type[Event], Handler] = {ApiKeyChanged: api_key_changed}
