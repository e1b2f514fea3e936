"""PP 6.2: the data of a buyer is exported, and erased without the records of money."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.contracts import BuyerErasureRequested, PaymentsBuyerErased
from shared.ids import uuid7
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start


async def test_an_erasure_deletes_the_contact_and_keeps_the_money(stage: Stage, start: "Start") -> None:
    payments = await start(privacy_key="export-key")
    order = await payments.paid()
    path = f"/privacy/buyers/{order.buyer_id}"
    held = (await payments.get(path, key="export-key")).json()
    assert (held["contact"][0]["email"], len(held["orders"]), len(held["attempts"])) == ("aigerim@example.kz", 1, 1)
    assert (await payments.get(path)).status_code == 401  # an agent's key is not enough

    request = BuyerErasureRequested(
        buyer_id=order.buyer_id, storefront=order.storefront, request_id=uuid7(), requested_at=datetime.now(UTC)
    )
    await stage.publish(request)
    [erased] = await stage.events(PaymentsBuyerErased)

    assert (erased.event.request_id, bool(erased.event.kept)) == (request.request_id, True)
    left = (await payments.get(path, key="export-key")).json()
    assert (left["contact"], len(left["orders"])) == ([], 1)
    assert (await payments.get(f"/orders/{order.order_id}/ledger")).status_code == 200
