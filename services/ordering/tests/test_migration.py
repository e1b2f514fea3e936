"""A database of release 1.0.1, with buyers in it, is brought up to date: nobody is joined to anybody (I14)."""

import asyncio
from collections.abc import Iterator

import pytest

from ordering.contact import lock_mailbox
from shared.database import Database
from shared.ids import uuid7
from shared.kernel import migrations
from shared.testing.databases import database_at
from shared.testing.documents import JsonObject

pytestmark = pytest.mark.infra
_BUYER = """
INSERT INTO buyers (buyer_id, storefront, email_key, name, email, phone, language, newsletter, updated_at, blocked)
VALUES (:id, 'esimka', :key, :name, :email, '+77011234567', 'en', true, :now, :blocked)
"""
#: As release 1.0.1 places an order; it may still run beside this one.
_AS_RELEASED = f"""{_BUYER}
ON CONFLICT (storefront, email_key) DO UPDATE SET
  name = EXCLUDED.name, email = EXCLUDED.email, phone = EXCLUDED.phone, language = EXCLUDED.language,
  newsletter = EXCLUDED.newsletter, updated_at = EXCLUDED.updated_at, blocked = false
RETURNING buyer_id
"""


@pytest.fixture
def released() -> Iterator[str]:
    with database_at("ordering", "0004") as url:
        yield url


async def test_a_migration_keeps_buyers_and_the_previous_release_overwrites_none(released: str) -> None:
    database = Database(released, pool_size=1)
    merged, moved = uuid7(), uuid7()
    async with database.transaction() as tx:
        anna = {"name": "Anna", "email": "Anna@example.org", "now": tx.now}
        await tx.execute(_BUYER, id=merged, key="anna@example.org", blocked=True, **anna)
        # Corrected to an address that another buyer had: 1.0.1 kept them apart.
        await tx.execute(_BUYER, id=moved, key=str(moved), blocked=False, **anna)

    await asyncio.to_thread(migrations.upgrade, "ordering", released)

    async with database.transaction() as tx:
        before = (await tx.execute("SELECT * FROM buyers WHERE buyer_id = :id", id=merged)).one()
        assert (before.blocked, before.newsletter, before.newsletter_asked, before.proved_at) == (
            True,
            True,
            False,
            None,
        )
        stranger: JsonObject = {"name": "Mallory", "email": "ANNA@example.org", "now": tx.now}
        row = (await tx.execute(_AS_RELEASED, id=uuid7(), key="anna@example.org", blocked=False, **stranger)).one()
        assert row.buyer_id not in {merged, moved}
        assert (await tx.execute("SELECT * FROM buyers WHERE buyer_id = :id", id=merged)).one() == before

        found = await lock_mailbox(tx, merged)
        assert found is not None
        assert (found.proved, len(found.others)) == (False, 2)
        assert found.reach("erase") == [merged], "nobody has proved that they are one"
    await database.close()
