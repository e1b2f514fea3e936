from collections.abc import Callable

from tour.acts.kill import _KILLS, ORDERS, Crowd
from tour.ledgers import Books
from tour.orders import Page, Paid

Sell = Callable[[int], Paid]


def test_each_kill_can_come_to_pass_with_the_buyers_admitted_until_then() -> None:
    for kill in _KILLS:
        everything_done = Books([{"captured": 1}] * kill.buyers, [{}] * kill.buyers, [{}] * kill.buyers)
        assert kill.when(everything_done)
        assert not kill.when(Books((), (), ()))
    assert [kill.buyers for kill in _KILLS] == sorted(kill.buyers for kill in _KILLS)
    assert _KILLS[-1].buyers < ORDERS


def test_only_orders_with_a_mail_and_without_a_status_are_asked_about(sell: Sell) -> None:
    paid = [sell(number) for number in range(3)]
    crowd = Crowd([Page(one.order, {"invoiceId": one.invoice_id}) for one in paid])
    crowd.books = Books((), (), [{"to": [one.order.buyer.email], "message_id": "m"} for one in paid[:2]])
    crowd.delivered = {paid[0].order.id}
    assert crowd.waiting == [paid[1].order]
    assert str(crowd) == "paid 0, profiles 0, mails 1, delivered 1"
