"""Looks for what nobody may be able to read: buyers' data, activation codes and secrets."""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer

from local_stack.product import STOREFRONTS
from product.running import Product, keys_of
from shared.contracts import EVENTS, updates_topic

#: Part of every buyer's name, e-mail address and telephone number; and the beginning of every activation code.
BUYERS = ("kanareika", "Kanareika", "+7701", "LPA:1")
#: They carry personal data because that is what they are for.
PERSONAL_TOPICS = {"ordering.buyer-contact", "storefront.order-submitted"}  # and each shop's own


def leaks(product: Product, secrets: Iterable[str] = ()) -> list[str]:
    """Places in logs and traces where personal data or secrets of the whole run can be read."""
    wanted = {*BUYERS, *secrets, "sandbox-secret", *keys_of(product).values(), *product.site.seal_keys.values()}
    paths = [*product.site.directory.glob("logs/*.log"), *product.site.directory.glob("traces/*.jsonl")]
    return [
        f"{path.name}: {line[:500]}"
        for path in paths
        if path.name != "sandbox.log"
        for line in path.read_text(errors="replace").splitlines()
        if any(secret in line for secret in wanted)
    ]


async def stored(product: Product, secrets: Iterable[str]) -> list[str]:
    """Rows, of any table of any service, in which these can be read; also inside what is stored as bytes."""
    wanted = [f"%{form}%" for text in secrets for form in (text, text.encode().hex())]
    found = []
    for name in product.services:
        tables = await product.query(
            name, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        assert len(tables) > 5, "no tables were read"
        for (table,) in tables:
            look = f"SELECT left(t::text, 500) FROM {table} t WHERE t::text LIKE ANY(%s)"
            found += [f"{name}.{table}: {row[0]}" for row in await product.query(name, look, wanted)]
    return found


async def published(product: Product, secrets: Iterable[str]) -> list[str]:
    """Records and dead letters in which they can be read."""
    wanted = [text.encode() for text in (*BUYERS, *secrets)]
    found = []
    read = [*(topic for topic in EVENTS if topic not in PERSONAL_TOPICS), *map(updates_topic, STOREFRONTS)]
    topics = [product.prefix + topic for topic in read]
    consumer = AIOKafkaConsumer(*topics, **product.kafka.aiokafka(), auto_offset_reset="earliest", group_id=None)
    try:
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment())
        seen = 0
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    seen += 1
                    whole = b" ".join([record.key or b"", record.value or b"", str(record.headers).encode()])
                    if any(text in whole for text in wanted):
                        found.append(f"{record.topic}: {whole[:500]!r}")
    finally:
        await consumer.stop()
    assert seen, "no records were read at all"
    for name in product.services:
        found += [f"{name}: {row!r}" for row in await product.dead_letters(name) if any(map(row.count, wanted))]
    return found
