"""Whatever comes in, nothing answers 500 and the next proper call works."""

import json

import pytest

from sandbox.money import to_major, to_minor
from sandbox.storefront import SUCCESS
from sandbox.testing import RunningSandbox

ODD: list[object] = [
    None, True, 0, -1, 1.5, 10**400, float("nan"), "", " ", "²", "\ud800", "1e999999999", "x" * 100_000,
    [], ["a"], {}, {"a": 1}, "\x00", "'; drop table", "٣٣٣٣٣٣", "Ж" * 50,
]  # fmt: skip
FUNCTIONS = ("downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile")
HEADER = {"functionRequesterIdentifier": "a", "functionCallIdentifier": "b"}


async def works(sb: RunningSandbox) -> bool:
    return (await sb.pay(await sb.payment_object("999999", 100))).status == "CHARGE"


async def test_odd_values_in_every_field_of_es2plus(sb: RunningSandbox) -> None:
    proper = {
        "header": HEADER, "iccid": "8999701000000000019", "profileType": "A", "eid": "1" * 32,
        "releaseFlag": True, "matchingId": "A", "finalProfileStatusIndicator": "Available",
    }  # fmt: skip
    protocol = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}
    for function in FUNCTIONS:
        for name in proper:
            for value in ODD:
                body = json.dumps(proper | {name: value})
                path = f"/operator/gsma/rsp2/es2plus/{function}"
                answer = await sb.client.post(path, content=body, headers=protocol)
                assert answer.status_code in {200, 400}, (function, name, value)
    assert await works(sb)


async def test_odd_values_in_every_field_of_a_payment(sb: RunningSandbox) -> None:
    payment = await sb.payment_object("123456", 100)
    names = (*payment, "description", "accountId", "postLink", "backLink", "name", "data", "auth")
    card = {"number": SUCCESS.number, "exp": SUCCESS.exp}
    for value in ODD:
        for name in names:
            body = json.dumps({"payment": payment | {name: value}, "card": card})
            assert (await sb.client.post("/epay/payform/pay", content=body)).status_code in {200, 400, 401}
        for name in ("number", "exp", "name"):
            body = json.dumps({"payment": payment, "card": card | {name: value}})
            assert (await sb.client.post("/epay/payform/pay", content=body)).status_code in {200, 400, 401}
        token = json.dumps({"payment": payment | {"auth": {"access_token": value}}, "card": card})
        assert (await sb.client.post("/epay/payform/pay", content=token)).status_code in {400, 401}
    assert len(await sb.ledger_bank()) <= 1
    assert await works(sb)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xff'),
        ("application/x-www-form-urlencoded", b"\xff=%ff&&&=&a"),
        ("application/json", b"{}"),
        ("\xa0", b"grant_type=client_credentials"),
    ],
)
async def test_odd_forms(sb: RunningSandbox, kind: str, body: bytes) -> None:
    headers = {"content-type": kind.encode("latin-1")}
    answer = await sb.client.post("/epay/oauth2/token", content=body, headers=headers)  # type: ignore[arg-type] # bytes pass
    assert answer.status_code in {400, 401}


@pytest.mark.parametrize("path", ["%00", "%ed%a0%80", "..", "%2e%2e", "a%2fb", "%ff", "x" * 3000])
async def test_odd_paths(sb: RunningSandbox, path: str) -> None:
    for before, after in (
        ("/operator/usage/", ""),
        ("/epay/api/check-status/payment/transaction/", ""),
        ("/epay/api/operation/", "/refund?amount=%00&externalID=%ff"),
        ("/mail/", ""),
        ("/mail/1/cid/", ""),
    ):
        method = "POST" if "operation" in before else "GET"
        assert (await sb.client.request(method, before + path + after)).status_code < 500


@pytest.mark.parametrize(
    ("wire", "minor"),
    [(300, 30000), ("300", 30000), (12.22, 1222), ("0.01", 1), (0.1 + 0.2, None), (True, None), ("1e2", 10000)],
)
def test_amounts(wire: object, minor: int | None) -> None:
    assert to_minor(wire) == minor


@pytest.mark.parametrize("minor", [0, 1, 10, 99, 100, 1222, 499000, 10**15 - 1])
def test_amounts_come_back(minor: int) -> None:
    assert to_minor(json.loads(json.dumps(to_major(minor)))) == minor
