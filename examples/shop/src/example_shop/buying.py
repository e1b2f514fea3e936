"""The way of an order: stored, sent, asked about. All that this shop needs of the service is the client."""

from collections.abc import Mapping
from dataclasses import replace

from esim_fulfilment import (
    AsyncClient,
    CheckoutSession,
    FulfilmentError,
    IdempotencyKeyReusedError,
    NewOrder,
    ProblemError,
    RefundRequest,
    UnreachableError,
)
from example_shop.store import ShopOrder, Store

#: Statuses after which an order changes only by a new event. Others are asked about whenever they are shown.
QUIET = frozenset({"delivered", "topped_up", "refunded", "refused", "lapsed", "expired", "revoked"})
CAN_BE_PAID = frozenset({"placed", "payment_failed"})


class Buying:
    """Places orders and says how they stand."""

    def __init__(self, client: AsyncClient, store: Store) -> None:
        self._client, self._store = client, store

    async def place(
        self, ref: str, session: str, request: NewOrder, visit: CheckoutSession, parent: str | None = None
    ) -> None:
        """Store the order, send it, and store the answer. `ref` is the idempotency key.

        The row is written before the call, so an order whose answer is lost is sent again under the same key when it
        is shown (`present`). Raises ProblemError where the order was refused; then nothing is stored.
        """
        self._store.begin(ref, session, request, parent)
        try:
            placed = await self._client.place_order(request, idempotency_key=ref, session=visit)
        except IdempotencyKeyReusedError:
            return  # a second form of the same basket: the first one counts
        except UnreachableError:
            return
        except ProblemError as error:
            if error.status < 500:  # noqa: PLR2004 - a refusal; after a fault of the service the order may exist
                self._store.drop(ref)
                raise
            return
        self._store.accepted(ref, placed.order_id)

    async def present(self, order: ShopOrder) -> tuple[ShopOrder, bool]:
        """The order as it stands, and whether that is certain: False where the service did not answer now.

        The service is asked where a webhook came since the last answer, or where the order is still in progress: so the
        page is right too while webhooks do not reach this shop.
        """
        if order.order_id is None:
            order = await self._sent(order)
        if order.order_id is None:
            return order, False
        if not order.stale and order.seen is not None and order.seen.status in QUIET:
            return order, True
        try:
            seen = await self._client.order(order.order_id)
        except FulfilmentError:
            return order, False
        self._store.saw(order.ref, seen)
        return replace(order, seen=seen, stale=False), True

    async def payment(self, order_id: str, back_link: str, language: str) -> Mapping[str, object]:
        """What the bank's script gets. Raises FulfilmentError."""
        known = language if language in ("en", "ru", "kk") else "en"
        return await self._client.payment(
            order_id,
            back_link=back_link,
            failure_back_link=back_link,
            language=known,  # type: ignore[arg-type] # checked above
        )

    async def refund(self, order: ShopOrder, request: RefundRequest) -> None:
        """Ask for a refund and store the answer. Raises FulfilmentError."""
        if order.order_id is not None:
            self._store.refund(order.ref, await self._client.request_refund(order.order_id, request))

    async def _sent(self, order: ShopOrder) -> ShopOrder:
        """Send an order again whose answer was lost: the same key and body, so it is the same order."""
        if order.request is None:
            return order
        try:
            placed = await self._client.place_order(order.request, idempotency_key=order.ref)
        except FulfilmentError:
            return order
        self._store.accepted(order.ref, placed.order_id)
        return replace(order, order_id=placed.order_id)
