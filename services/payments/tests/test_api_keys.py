"""Keys of shops that ordering creates at run time are accepted here, and refused once they are revoked."""

from typing import TYPE_CHECKING

from shared.ids import uuid7
from shared.testing.api_keys import check_keys

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start


async def test_keys_are_accepted_and_refused(start: "Start") -> None:
    payments = await start()
    path = f"/orders/{uuid7()}/payment"
    await check_keys(payments.stage, lambda key: payments.post(path, key=key), "orders:write")
