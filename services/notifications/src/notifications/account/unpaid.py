"""What a buyer reads of the mailbox's orders without a payment: how to pay them, or what became of them. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from notifications.account.models import UnpaidOrder, UnpaidSection
from notifications.clients.ordering import ListedOrder
from notifications.emails import LocaleFormat, Storefront, texts, web_address

#: By the status that ordering derives: the sentence. Every other status is that of a paid order, or unheard of.
_SENTENCES: Mapping[str, str] = {
    "placed": "open",
    "payment_failed": "failed",
    "held": "held",
    "refused": "refused",
    "lapsed": "lapsed",
}
_PAYABLE = frozenset({"open", "failed"})
#: Older and further orders say nothing that helps.
_SHOWN_FOR = timedelta(days=30)
_MOST = 5


def unpaid_section(
    orders: Iterable[ListedOrder], own: UUID, store: Storefront, locale: LocaleFormat, now: datetime
) -> UnpaidSection | None:
    """The section for the page of the order `own`; None where there is no such order."""
    shown = [
        _shown(order, store, locale)
        for order in orders
        if order.status in _SENTENCES and order.order_id != own and order.placed_at > now - _SHOWN_FOR
    ]
    return UnpaidSection("shown", tuple(shown[:_MOST])) if shown else None


def _shown(order: ListedOrder, store: Storefront, locale: LocaleFormat) -> UnpaidOrder:
    t, name = texts(locale.language)["unpaid"], _SENTENCES[order.status]
    text, label, address = t[name], "", None
    if name in _PAYABLE:
        label = t["pay"].format(order_number=order.order_number)
        address = web_address(store.payment_page and store.payment_page.format(order_id=order.order_id))
        text = text if address else f"{text} {t['how']}"
    elif name == "lapsed":
        label, address = t["shop"], web_address(store.site)
    return UnpaidOrder(
        order_number=order.order_number,
        plan=order.plan.title,
        price=locale.money(order.price),
        placed_at=locale.minute(order.placed_at),
        text=text,
        link=(label, address) if address else None,
    )
