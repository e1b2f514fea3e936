"""The cash register on the wire (docs/wire/webkassa.md)."""

import asyncio
import re
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

CASHBOX = "SWK00000001"
KEY = {"x-api-key": "sandbox-cashbox"}


async def call(sb: RunningSandbox, path: str, **body: object) -> JsonObject:
    answer = await sb.client.post(f"/webkassa/api/v4/{path}", json=body, headers=KEY)
    assert answer.status_code == 200
    value: JsonObject = answer.json()
    return value


async def session(sb: RunningSandbox) -> str:
    return str((await call(sb, "Authorize", Login="sandbox", Password="sandbox-secret"))["Data"]["Token"])


def sale(token: str, number: str, price: float = 4990, **changes: object) -> JsonObject:
    position = {"Count": 1, "Price": price, "TaxPercent": None, "Tax": 0, "TaxType": 0, "PositionName": "Turkey 5 GB"}
    return {
        "Token": token,
        "CashboxUniqueNumber": CASHBOX,
        "OperationType": 2,
        "Positions": [position | {"Discount": 0, "Markup": 0, "SectionCode": "1", "UnitCode": 796}],
        "Payments": [{"Sum": price, "PaymentType": 1}],
        "Change": 0,
        "RoundType": 2,
        "ExternalCheckNumber": number,
        "ExternalOrderNumber": "10000001",
        **changes,
    }


def codes(answer: JsonObject) -> list[int]:
    return [error["Code"] for error in answer["Errors"]]


def basis(data: JsonObject, **changes: object) -> JsonObject:
    moment = datetime.strptime(data["DateTime"], "%d.%m.%Y %H:%M:%S")  # noqa: DTZ007 - the register's own clock
    return {
        "dateTime": moment.strftime("%Y-%m-%d %H:%M:%S"),
        "total": data["Total"],
        "checkNumber": data["CheckNumber"],
        "registrationNumber": data["Cashbox"]["RegistrationNumber"],
        "isOffline": False,
        **changes,
    }


async def test_a_sale_and_its_page(sb: RunningSandbox) -> None:
    data = (await call(sb, "check", **sale(await session(sb), "s-1")))["Data"]
    assert (data["Total"], data["ShiftNumber"], data["ExternalCheckNumber"]) == (4990, 1, "s-1")
    assert re.fullmatch("[0-9]{12}", data["CheckNumber"])
    [written] = await sb.ledger_cashbox()
    assert (written["total"], written["operationType"], written["paymentType"]) == (499000, 2, 1)
    page = await sb.client.get(httpx.URL(data["TicketUrl"]).path)
    assert page.status_code == 200
    assert all(text in page.text for text in ("Turkey 5 GB", "4990.00 KZT", data["CheckNumber"], "10000001"))
    assert (await sb.client.get("/webkassa/ticket/unknown")).status_code == 404


@pytest.mark.parametrize("original", [True, False])
async def test_the_same_number_makes_one_receipt(sb: RunningSandbox, *, original: bool) -> None:
    await sb.cashbox_behaviour(original_in_duplicate=original)
    token = await session(sb)
    first = await call(sb, "check", **sale(token, "s-1"))
    again = await call(sb, "check", **sale(token, "s-1"))
    assert codes(again) == [14]
    assert again["Data"] == (first["Data"] if original else None)
    assert len(await sb.ledger_cashbox()) == 1
    listed = await call(sb, "Check/History", Token=token, CashboxUniqueNumber=CASHBOX, ExternalCheckNumber="s-1")
    assert listed["Data"]["Items"] == [first["Data"]]


async def test_history_by_pages_where_it_does_not_filter(sb: RunningSandbox) -> None:
    await sb.cashbox_behaviour(history_filters=False, flat_registration=True)
    token = await session(sb)
    for number in range(3):
        await call(sb, "check", **sale(token, f"s-{number}"))
    ask = {"Token": token, "CashboxUniqueNumber": CASHBOX, "ExternalCheckNumber": "s-0", "Take": 2}
    pages = [(await call(sb, "Check/History", **ask, Skip=skip))["Data"]["Items"] for skip in (0, 2, 4)]
    assert [[one["ExternalCheckNumber"] for one in page] for page in pages] == [["s-2", "s-1"], ["s-0"], []]
    assert pages[0][0]["CashboxRegistrationNumber"] == "000000000001"
    assert "Cashbox" not in pages[0][0]


async def test_a_return_names_its_sale(sb: RunningSandbox) -> None:
    token = await session(sb)
    sold = (await call(sb, "check", **sale(token, "s-1")))["Data"]
    wanted = sale(token, "r-1", 2000, OperationType=3)
    assert codes(await call(sb, "check", **wanted)) == [9]
    for wrong in ({"checkNumber": "1"}, {"total": 1}, {"dateTime": sold["DateTime"]}, {"registrationNumber": "2"}):
        assert codes(await call(sb, "check", **wanted, returnBasisDetails=basis(sold, **wrong))) == [9]
    assert codes(await call(sb, "check", **wanted, returnBasisDetails=basis(sold))) == []
    too_much = sale(token, "r-2", 3000, OperationType=3)
    assert codes(await call(sb, "check", **too_much, returnBasisDetails=basis(sold))) == [9]
    assert [one["basisCheckNumber"] for one in await sb.ledger_cashbox()] == [None, sold["CheckNumber"]]


async def test_vat_is_contained_in_the_price(sb: RunningSandbox) -> None:
    token = await session(sb)
    wanted = sale(token, "s-1", 4990)
    wanted["Positions"][0] |= {"TaxType": 100, "TaxPercent": 16, "Tax": 688.27}
    assert codes(await call(sb, "check", **wanted)) == [9]
    wanted["Positions"][0]["Tax"] = 688.28
    assert codes(await call(sb, "check", **wanted)) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Token": "stale"}, 2),
        ({"CashboxUniqueNumber": "SWK404"}, 6),
        ({"ExternalCheckNumber": "x" * 51}, 9),
        ({"ExternalCheckNumber": ""}, 9),
        ({"Payments": [{"Sum": 1, "PaymentType": 1}]}, 9),
        ({"Payments": [{"Sum": 4990, "PaymentType": 2}]}, 9),
        ({"Positions": []}, 9),
        ({"OperationType": 1}, 9),
    ],
)
async def test_bad_requests(sb: RunningSandbox, change: JsonObject, code: int) -> None:
    assert codes(await call(sb, "check", **(sale(await session(sb), "s-1") | change))) == [code]
    assert await sb.ledger_cashbox() == []


async def test_credentials(sb: RunningSandbox) -> None:
    assert codes(await call(sb, "Authorize", Login="sandbox", Password="wrong")) == [1]
    assert (await sb.client.post("/webkassa/api/v4/check", json=sale("", "s-1"))).status_code == 401


async def test_a_shift_ends_with_a_z_report(sb: RunningSandbox) -> None:
    token = await session(sb)
    z_report = {"Token": token, "CashboxUniqueNumber": CASHBOX}
    assert codes(await call(sb, "ZReport", **z_report)) == [12]
    await call(sb, "check", **sale(token, "s-1"))
    await sb.age_shift(CASHBOX)
    assert codes(await call(sb, "check", **sale(token, "s-2"))) == [11]
    assert (await call(sb, "ZReport", **z_report))["Data"]["ShiftNumber"] == 1
    assert (await call(sb, "check", **sale(token, "s-2")))["Data"]["ShiftNumber"] == 2
    assert [bool(shift["closedAt"]) for shift in await sb.cashbox_shifts()] == [True, False]
    await sb.expire_sessions()
    assert codes(await call(sb, "check", **sale(token, "s-3"))) == [2]


async def test_requests_for_one_register_take_turns(sb: RunningSandbox) -> None:
    token = await session(sb)
    await sb.faults({"target": "cashbox.check", "effect": "latency", "seconds": 2, "times": 1})
    first = asyncio.create_task(call(sb, "check", **sale(token, "s-1")))
    await sb.struck()
    assert codes(await call(sb, "check", **sale(token, "s-2"))) == [505]
    other = sale(token, "s-3", CashboxUniqueNumber="SWK00000002")
    assert codes(await call(sb, "check", **other)) == []
    assert codes(await first) == []
    [violation] = await sb.cashbox_violations()
    assert (violation["cashbox"], violation["kind"]) == (CASHBOX, "overlap")


async def test_who_hung_up_is_not_to_blame(sb: RunningSandbox) -> None:
    token = await session(sb)
    await sb.faults({"target": "cashbox.check", "effect": "latency", "seconds": 0.3, "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        async with httpx.AsyncClient(timeout=httpx.Timeout(10, read=0.1), trust_env=False) as impatient:
            await impatient.post(f"{sb.cashbox_url}/api/v4/check", json=sale(token, "s-1"), headers=KEY)
    assert codes(await call(sb, "check", **sale(token, "s-1"))) == [14]
    assert await sb.cashbox_violations() == []
    assert len(await sb.ledger_cashbox()) == 1


async def test_books_outlive_the_process(tmp_path: Path) -> None:
    async with running_sandbox(data_dir=tmp_path) as first:
        sold = (await call(first, "check", **sale(await session(first), "s-1")))["Data"]
        await first.age_shift(CASHBOX)
    async with running_sandbox(data_dir=tmp_path) as again:
        token = await session(again)
        assert codes(await call(again, "check", **sale(token, "s-1"))) == [14]
        assert codes(await call(again, "check", **sale(token, "s-2"))) == [11]
        assert [one["checkNumber"] for one in await again.ledger_cashbox()] == [sold["CheckNumber"]]


async def test_faults_and_reset(sb: RunningSandbox) -> None:
    token = await session(sb)
    await sb.faults(
        {"target": "cashbox.check", "effect": "refuse", "code": 18, "times": 1},
        {"target": "cashbox.check", "effect": "lose_reply", "times": 1},
    )
    assert codes(await call(sb, "check", **sale(token, "s-1"))) == [18]
    with pytest.raises(httpx.RemoteProtocolError):
        await call(sb, "check", **sale(token, "s-1"))
    assert len(await sb.ledger_cashbox()) == 1
    await sb.reset()
    assert await sb.ledger_cashbox() == []
