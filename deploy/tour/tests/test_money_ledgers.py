"""What is found out when the books of order, bank and cash register do not agree."""

import pytest

from shared.testing.documents import JsonObject
from tour.ledgers import Books, one_receipt_each, receipt_and_return, same_money
from tour.orders import Buyer, Money, Order, Shop

ORDER = Order(
    "id",
    "10000001",
    Shop("qazaq-esim", "Qazaq eSIM", {}, ()),
    "Turkey 5 GB",
    Money(499000, "KZT"),
    Buyer("Timur", "t@example.org", "+77017654399", "ru"),
)
LEDGER = {"paid_in": 499000, "paid_out": 499000, "balances": {"bank_clearing": 0, "buyer_funds": 0}}
DECLINED = {"id": "1", "captured": 0, "refunds": []}
PAID = {"id": "2", "captured": 499000, "refunds": [{"amount": 499000}]}
SALE = {"operationType": 2, "total": 499000, "checkNumber": "1", "basisCheckNumber": None}
RETURN = {"operationType": 3, "total": 499000, "checkNumber": "2", "basisCheckNumber": "1"}


def books(*transactions: JsonObject) -> Books:
    return Books(transactions, (), ())


def test_all_is_well() -> None:
    assert same_money(LEDGER, books(DECLINED, PAID), ORDER) == []
    assert receipt_and_return([SALE, RETURN], ORDER) == []


def test_a_receipt_for_each_order() -> None:
    sale = SALE | {"externalOrderNumber": ORDER.number}
    assert one_receipt_each([sale, SALE | {"externalOrderNumber": "2"}], [ORDER]) == []
    for wrong in ([], [sale, sale], [sale | {"total": 1}], [sale | {"operationType": 3}]):
        assert len(one_receipt_each(wrong, [ORDER])) == 1


@pytest.mark.parametrize(
    ("ledger", "transactions", "words"),
    [
        ({"paid_out": 0}, (PAID,), "do not agree"),
        ({}, (PAID, PAID | {"id": "3", "refunds": []}), "do not agree"),
        ({}, (PAID | {"refunds": [{"amount": 200000}, {"amount": 299000}]},), "the bank took 499000 and returned"),
        ({"balances": {"refunds_payable": -499000}}, (PAID,), "refunds_payable should be empty"),
    ],
)
def test_money_that_is_not_where_it_should_be(
    ledger: JsonObject, transactions: tuple[JsonObject, ...], words: str
) -> None:
    assert any(words in finding for finding in same_money(LEDGER | ledger, books(*transactions), ORDER))


@pytest.mark.parametrize(
    "receipts",
    [
        [SALE],
        [RETURN, SALE],
        [SALE, RETURN, RETURN],
        [SALE, RETURN | {"total": 1}],
        [SALE, RETURN | {"basisCheckNumber": "9"}],
    ],
)
def test_receipts_that_are_not_as_they_should_be(receipts: list[JsonObject]) -> None:
    assert len(receipt_and_return(receipts, ORDER)) == 1
