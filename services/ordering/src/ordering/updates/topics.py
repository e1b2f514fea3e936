"""Updates on the topics of shops: `storefront.<shop>.updates`, for the shops that read theirs."""

from collections.abc import Collection

from ordering.updates.models import Update
from shared.contracts import ShopUpdate
from shared.database import Tx


def shop_update(update: Update) -> ShopUpdate:
    """The update as a record of its shop's topic, keyed by order; a refused submission by the submission."""
    subject = str(update.order_id or update.data.get("submission_id") or update.id)
    return ShopUpdate(update.storefront, update.type, subject, update.occurred_at, update.body)


class UpdatesTopics:
    """Takes part in each transaction, before the outbox: updates of shops that read no topic are not published.

    `shops`: those that do. Each needs its topic, which `migrate` creates.
    """

    def __init__(self, shops: Collection[str]) -> None:
        self._shops = frozenset(shops)

    async def before_commit(self, tx: Tx) -> None:
        """Drop what no topic is there for."""
        tx.outgoing[:] = [
            outgoing
            for outgoing in tx.outgoing
            if not isinstance(outgoing.event, ShopUpdate) or outgoing.event.shop in self._shops
        ]

    def after_commit(self, tx: Tx) -> None:
        """Nothing more to do."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing was kept."""
