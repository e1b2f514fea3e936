from importlib import import_module
from typing import TYPE_CHECKING

from notifications.tables import metadata
from shared.contracts import QrDelivered
from shared.testing.databases import differences

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Start


async def test_tables_and_migrations_agree(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    assert await differences(running.service.database, metadata) == []


async def test_orders_of_the_first_version_are_known_from_their_mails(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    buyer, waits = running.buyer(), running.buyer("waits")
    await running.stage.publish(buyer.contact(), buyer.generated(), waits.generated())
    await running.stage.events(QrDelivered)
    await running.until_rows("SELECT 1 FROM orders OFFSET 1")
    columns = "order_id, order_number, storefront, buyer_id, generated_at, valid_until, channel"
    before = await running.rows(f"SELECT {columns} FROM orders ORDER BY order_id")
    known = import_module("notifications.migrations.versions.0002_buyer")._KNOWN
    async with running.service.database.transaction() as tx:
        await tx.execute("DELETE FROM orders")
        await tx.execute(known)
    assert await running.rows(f"SELECT {columns} FROM orders ORDER BY order_id") == before
    [row] = await running.rows("SELECT delivered_at IS NOT NULL AS done FROM orders WHERE channel = 'email'")
    assert row["done"]
