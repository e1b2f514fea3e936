"""Receipts as Webkassa writes and reads them (docs/wire/webkassa.md)."""

import json
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from structlog.testing import capture_logs

from payments.clients.models import Issued, Tax, Wanted
from payments.clients.webkassa.receipts import check_body, error_codes, read_issued, receipts_in
from payments.settings import CashRegister, Settings
from shared.shops.faults import ShopsError
from shared.shops.reading import Shops, read_shops
from shared.testing.documents import FieldValue, JsonObject
from shared.testing.shops import copied

SALE = Issued("123456789012", "000000000001", "2026-11-20 09:08:07", "https://ofd.example/t/1", 499000)
DATA: JsonObject = {
    "CheckNumber": "123456789012",
    "DateTime": "20.11.2026 09:08:07",
    "Total": 4990,
    "TicketUrl": "https://ofd.example/t/1",
    "ExternalCheckNumber": "sale-1",
    "Cashbox": {"UniqueNumber": "SWK1", "RegistrationNumber": "000000000001"},
}


def wanted(amount: int = 499000, **changes: FieldValue) -> Wanted:
    known = Wanted(
        kind="sale",
        number="sale-1",
        order_number="10000001",
        title="Turkey 5 GB",
        amount=amount,
        tax=Tax(),
    )
    return replace(known, **changes)


@given(st.integers(1, 10**12), st.one_of(st.none(), st.decimals("0", "99.99", places=2)))
def test_amounts_on_the_wire_are_exact_and_add_up(amount: int, percent: Decimal | None) -> None:
    text = json.dumps(check_body(wanted(amount, tax=Tax(percent))))
    body = json.loads(text, parse_float=Decimal)
    [line], [payment] = body["Positions"], body["Payments"]
    assert Decimal(line["Price"]) * 100 == Decimal(payment["Sum"]) * 100 == amount
    exact = 0 if percent is None else amount * percent / (100 + percent)
    assert Decimal(line["Tax"]) * 100 == Decimal(exact).quantize(Decimal(1), ROUND_HALF_UP)
    assert (line["TaxType"], line["TaxPercent"]) == ((0, None) if percent is None else (100, percent))


def test_a_sale() -> None:
    body = check_body(wanted())
    assert (body["OperationType"], body["ExternalCheckNumber"], body["ExternalOrderNumber"]) == (
        2,
        "sale-1",
        "10000001",
    )
    assert body["Payments"] == [{"Sum": 4990, "PaymentType": 1}]
    assert not body.keys() & {"returnBasisDetails", "CustomerEmail", "CustomerPhone"}


def test_a_return_repeats_the_data_of_its_sale() -> None:
    body = check_body(wanted(100000, kind="sale_return", basis=SALE))
    assert body["OperationType"] == 3
    assert body["returnBasisDetails"] == {
        "dateTime": "2026-11-20 09:08:07",
        "total": 4990,
        "checkNumber": "123456789012",
        "registrationNumber": "000000000001",
        "isOffline": False,
    }


def test_the_register_is_read_nested_and_flat() -> None:
    nested = read_issued(DATA)
    flat = {name: value for name, value in DATA.items() if name != "Cashbox"}
    assert nested == read_issued(flat | {"CashboxRegistrationNumber": "000000000001"})
    assert nested is not None
    assert (nested.fiscal_time, nested.total, nested.registration_number) == (SALE.fiscal_time, 499000, "000000000001")


@pytest.mark.parametrize(
    "change",
    [
        {"CheckNumber": None},
        {"CheckNumber": "x" * 65},
        {"CheckNumber": "12\x00"},
        {"DateTime": "2026-11-20"},
        {"DateTime": None},
    ],
)
def test_what_has_no_fiscal_sign_and_time_is_no_receipt(change: JsonObject) -> None:
    assert read_issued(DATA | change) is None


@pytest.mark.parametrize(
    ("change", "field", "read"),
    [
        ({"Total": None}, "total", None),
        ({"Total": "much"}, "total", None),
        ({"Total": "4990.00"}, "total", 499000),
        ({"TicketUrl": None, "OfflineMode": True}, "ticket_url", ""),
        ({"TicketUrl": "javascript:alert(1)"}, "ticket_url", ""),
        ({"TicketUrl": 5}, "ticket_url", ""),
        ({"Cashbox": None}, "registration_number", ""),
        ({"Cashbox": "SWK1"}, "registration_number", ""),
        ({"Cashbox": {"RegistrationNumber": "x" * 65}}, "registration_number", ""),
    ],
)
def test_a_receipt_is_read_whatever_else_its_answer_lacks(change: JsonObject, field: str, read: object) -> None:
    issued = read_issued(DATA | change)
    assert issued is not None
    assert issued.check_number == DATA["CheckNumber"]
    assert getattr(issued, field) == read


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_answer_can_be_read(value: object) -> None:
    read_issued(value)
    list(receipts_in(value))
    error_codes(value if isinstance(value, dict) else {"Errors": value})


def test_error_codes_of_an_envelope() -> None:
    assert error_codes({"Data": None, "Errors": [{"Code": 14, "Text": "dup"}, {"Code": "2"}, {"Code": None}, 5]}) == [
        14,
        2,
        -1,
        -1,
    ]
    assert error_codes({"Data": {}, "Errors": None}) == []
    assert receipts_in([1]) == [1]
    assert receipts_in({"Total": 1, "Items": [2]}) == [2]
    assert receipts_in(None) == ()


@pytest.mark.parametrize(
    "change", [{"vat_percent": "100"}, {"vat_percent": "-1"}, {"password": " "}, {"cashbox": ""}, {"pos": 1}]
)
def test_impossible_registers_are_refused(change: JsonObject) -> None:
    with pytest.raises(ValidationError):
        CashRegister.model_validate({"cashbox": "SWK1", "login": "l", "password": "p", **change})


def shops_of(folder: Path, register: str) -> Shops:
    path = copied(folder / "shops") / "qazaq-esim" / "shop.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[cash_register]")] + register, encoding="utf-8")
    return read_shops(folder / "shops")


def settings_of(registers: JsonObject, **values: object) -> Settings:
    settings = {
        "database_url": "",
        "kafka_bootstrap_servers": "",
        "epay_adapter": "instant",
        "epay_terminal": str(uuid4()),
        "public_url": "http://localhost",
        "storefront_keys": {},
        "webkassa_url": "http://localhost",
        "webkassa_api_key": "key",
        "cash_registers": registers,
    }
    return Settings.model_validate(settings | values)


LOGIN = {"login": "l", "password": "p"}


def test_a_register_is_the_folders_and_its_login_a_secret(tmp_path: Path) -> None:
    shops = shops_of(tmp_path, '[cash_register]\ncashbox = "SWK7"\nvat_percent = 12.5\nsend_contact = true\n')
    register = settings_of({"qazaq-esim": LOGIN}).registers(shops)["qazaq-esim"]
    assert (register.cashbox, register.vat_percent, register.send_contact) == ("SWK7", Decimal("12.5"), True)
    assert (register.login, register.password.get_secret_value()) == ("l", "p")


def test_fields_of_a_register_in_the_setting_still_count_and_are_named(tmp_path: Path) -> None:
    shops = shops_of(tmp_path, '[cash_register]\ncashbox = "SWK7"\nvat_percent = 12\n')
    with capture_logs() as logs:
        same = settings_of({"qazaq-esim": {**LOGIN, "cashbox": "SWK7"}}).registers(shops)
        assert logs == []
        other = settings_of({"qazaq-esim": {**LOGIN, "cashbox": "SWK8", "vat_percent": None}}).registers(shops)
    assert (same["qazaq-esim"].cashbox, same["qazaq-esim"].vat_percent) == ("SWK7", Decimal(12))
    assert (other["qazaq-esim"].cashbox, other["qazaq-esim"].vat_percent) == ("SWK8", None)
    assert [entry["setting"] for entry in logs] == ["CASH_REGISTERS[qazaq-esim]: cashbox, vat_percent"]


def test_a_login_without_a_register_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShopsError, match=r"qazaq-esim/shop\.toml: cash_register: is not there"):
        settings_of({"qazaq-esim": LOGIN}).registers(shops_of(tmp_path, ""))


def test_a_register_without_a_login_is_refused_in_production(tmp_path: Path) -> None:
    shops = shops_of(tmp_path, '[cash_register]\ncashbox = "SWK7"\n')
    with capture_logs() as logs:
        assert settings_of({}).registers(shops) == {}
    assert [entry["event"] for entry in logs] == ["no_receipts"]
    production = settings_of({}).model_copy(update={"environment": "production"})
    with pytest.raises(ShopsError, match=r"cash_register: CASH_REGISTERS has no login for it"):
        production.registers(shops)
