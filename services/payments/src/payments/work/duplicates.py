"""A second capture for one order: nobody keeps money taken twice, and for now a person returns it."""

from collections.abc import Sequence
from typing import NoReturn

from shared.database import Tx
from shared.work import Done, Item, NeedsPersonError

DUPLICATE = "duplicate_capture"


class DuplicateCapture:
    """Parks each second capture at once, where operators see it; the key is its invoice id."""

    kind = DUPLICATE
    concurrency = 1

    async def perform(self, item: Item) -> NoReturn:  # noqa: ARG002 - the protocol's
        """Always raises NeedsPersonError."""
        raise NeedsPersonError("the order was paid twice: return this capture to the buyer")

    async def record(self, tx: Tx, done: Sequence[Done[None]]) -> None:
        """Nothing is ever done here."""
