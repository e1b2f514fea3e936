"""A test's hands on the product's topics."""

from collections.abc import Iterable
from contextlib import AsyncExitStack

from product.running import Product
from shared.messaging.producer import Producer
from shared.testing.stage import Stage
from shared.testing.topic_sets import TopicSet


class Topics(Stage):
    """A stage's way to publish and read, on topics that exist already and outlive the test."""

    strict = False

    def __init__(self, product: Product) -> None:
        self.kafka = product.kafka
        self.prefix = product.prefix
        self._topics = TopicSet(self.prefix)
        self._producer = Producer(self.kafka, prefix=self.prefix)
        self._stack = AsyncExitStack()

    async def ensure_topics(self, topics: Iterable[str]) -> None:
        """All of them exist."""
