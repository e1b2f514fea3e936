"""Every effect at the HTTP stand-ins, asserted on the answer and on the ledger."""

import asyncio

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox

ORDER = "/operator/gsma/rsp2/es2plus/downloadOrder"
HEADERS = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}


async def order(sb: RunningSandbox, **body: object) -> httpx.Response:
    header = {"functionRequesterIdentifier": "shop", "functionCallIdentifier": "1"}
    request = {"header": header, "profileType": "KZ-1GB"} | body
    return await sb.client.post(ORDER, json=request, headers=HEADERS)


def failed(answer: httpx.Response) -> str:
    code = answer.json()["header"]["functionExecutionStatus"]["statusCodeData"]
    return f"{code['subjectCode']}/{code['reasonCode']}"


async def reserved(sb: RunningSandbox) -> int:
    return len(await sb.ledger_operator())


async def test_http_error_does_nothing_and_is_used_up(sb: RunningSandbox) -> None:
    await sb.faults(
        {
            "target": "operator.download_order",
            "effect": "http_error",
            "status": 429,
            "headers": {"Retry-After": "3"},
            "body": {"why": "too many"},
            "times": 1,
        }
    )
    answer = await order(sb)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (429, "3", {"why": "too many"})
    assert await reserved(sb) == 0
    assert (await order(sb)).status_code == 200
    (rule,) = await sb.active_faults()
    assert (rule["seen"], rule["hits"]) == (1, 1)


async def test_a_plain_http_error(sb: RunningSandbox) -> None:
    await sb.faults({"target": "bank.token", "effect": "http_error", "body": "<html>down</html>"})
    answer = await sb.client.post("/epay/oauth2/token")
    assert (answer.status_code, answer.text) == (503, "<html>down</html>")


async def test_refuse_with_the_operators_codes(sb: RunningSandbox) -> None:
    await sb.faults(
        {"target": "operator.download_order", "effect": "refuse", "subjectCode": "8.8.5", "reasonCode": "6.4"}
    )
    assert failed(await order(sb)) == "8.8.5/6.4"
    assert await reserved(sb) == 0


async def test_out_of_stock_for_one_type_until_removed(sb: RunningSandbox) -> None:
    (rule,) = await sb.faults(
        {"target": "operator.download_order", "effect": "out_of_stock", "match": {"profileType": "KZ-1GB"}}
    )
    for _ in range(3):
        assert failed(await order(sb)) == "8.2.5/3.7"
    assert (await order(sb, profileType="KZ-3GB")).json()["iccid"]
    assert (await sb.client.delete(f"/control/faults/{rule['id']}")).status_code == 200
    assert (await order(sb)).json()["iccid"]
    assert (await sb.client.delete("/control/faults/99")).status_code == 404


async def test_lose_reply_does_it_and_says_nothing(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "lose_reply", "times": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await order(sb)
    assert await reserved(sb) == 1
    (seen,) = await sb.requests("downloadOrder")
    assert seen["status"] == 0
    assert (await order(sb)).status_code == 200


async def test_drop_does_nothing_and_says_nothing(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "drop"})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await order(sb)
    assert await reserved(sb) == 0


async def test_partial_body(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "partial_body"})
    with pytest.raises(httpx.RemoteProtocolError):
        await order(sb)
    assert await reserved(sb) == 1


async def test_duplicate_does_it_twice(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "duplicate"})
    assert (await order(sb)).status_code == 200
    assert await reserved(sb) == 2


async def test_forge_writes_over_the_answer(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "forge", "fields": {"iccid": "8" * 19}})
    assert (await order(sb)).json()["iccid"] == "8" * 19


@pytest.mark.parametrize(("effect", "done_early"), [("latency", 0), ("delay", 1)])
async def test_latency_waits_before_and_delay_after(sb: RunningSandbox, effect: str, done_early: int) -> None:
    await sb.faults({"target": "operator.download_order", "effect": effect, "seconds": 600})
    waiting = asyncio.create_task(order(sb))
    await sb.struck()
    assert await reserved(sb) == done_early
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_waiting_effects_join_another_one(sb: RunningSandbox) -> None:
    await sb.faults(
        {"target": "operator.download_order", "effect": "latency", "seconds": 0.1},
        {"target": "operator.download_order", "effect": "http_error", "status": 500, "times": 1},
        {"target": "operator.download_order", "effect": "out_of_stock", "times": 1},
    )
    started = asyncio.get_running_loop().time()
    assert (await order(sb)).status_code == 500
    assert asyncio.get_running_loop().time() - started >= 0.1
    assert failed(await order(sb)) == "8.2.5/3.7"
    assert (await order(sb)).json()["iccid"]


async def test_after_lets_the_first_pass(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "http_error", "after": 2, "times": 1})
    assert [(await order(sb)).status_code for _ in range(4)] == [200, 200, 503, 200]


async def test_match_takes_lists_and_patterns(sb: RunningSandbox) -> None:
    await sb.faults({"target": "operator.download_order", "effect": "refuse", "match": {"profileType": ["A", "KZ-*"]}})
    assert failed(await order(sb)) == "8.2.1/3.3"
    assert failed(await order(sb, profileType="A")) == "8.2.1/3.3"
    assert (await order(sb, profileType="B")).json()["iccid"]


async def test_usage_faults(sb: RunningSandbox) -> None:
    iccid = (await order(sb)).json()["iccid"]
    await sb.faults(
        {"target": "operator.usage", "effect": "forge", "fields": {"usedBytes": 7}, "times": 1},
        {"target": "operator.usage", "effect": "refuse", "match": {"iccid": iccid}},
    )
    assert (await sb.client.get(f"/operator/usage/{iccid}")).json()["usedBytes"] == 7
    assert (await sb.client.get(f"/operator/usage/{iccid}")).status_code == 404


@pytest.mark.parametrize("function", ["confirmOrder", "cancelOrder", "releaseProfile"])
async def test_the_other_functions_obey_too(sb: RunningSandbox, function: str) -> None:
    name = {"confirmOrder": "confirm_order", "cancelOrder": "cancel_order", "releaseProfile": "release_profile"}
    await sb.faults({"target": f"operator.{name[function]}", "effect": "http_error", "match": {"iccid": "1*"}})
    path = ORDER.replace("downloadOrder", function)
    assert (await sb.client.post(path, json={"iccid": "12"}, headers=HEADERS)).status_code == 503
    assert (await sb.client.post(path, json={"iccid": "22"}, headers=HEADERS)).status_code == 200


async def bank_token(sb: RunningSandbox) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "scope": "webapi usermanagement email_send verification statement statistics payment",
        "client_id": "sandbox",
        "client_secret": "sandbox-secret",
        "terminal": "67e34d63-102f-4bd1-898e-370781d0074d",
    }
    answer = await sb.client.post("/epay/oauth2/token", data=form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_lost_refund_is_in_the_ledger(sb: RunningSandbox) -> None:
    paid = await sb.pay(await sb.payment_object("123456", 100))
    headers = await bank_token(sb)
    await sb.faults({"target": "bank.refund", "effect": "lose_reply", "match": {"invoiceID": "123456"}, "times": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await sb.client.post(f"/epay/api/operation/{paid.transaction_id}/refund?amount=50", headers=headers)
    transaction = await sb.transaction("123456")
    assert transaction
    assert transaction["refunded"] == 5000


@pytest.mark.parametrize("operation", ["refund", "cancel", "charge"])
async def test_refused_operations(sb: RunningSandbox, operation: str) -> None:
    paid = await sb.pay(await sb.payment_object("123456", 100))
    headers = await bank_token(sb)
    await sb.faults({"target": f"bank.{operation}", "effect": "refuse", "code": 103, "message": "later"})
    path = f"/epay/api/operation/{paid.transaction_id}/{operation}"
    answer = await sb.client.post(path, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"code": 103, "message": "later"})


async def test_check_status_faults(sb: RunningSandbox) -> None:
    await sb.pay(await sb.payment_object("123456", 100))
    headers = await bank_token(sb)
    path = "/epay/api/check-status/payment/transaction/123456"
    await sb.faults(
        {"target": "bank.check_status", "effect": "refuse", "code": 107, "times": 1},
        {"target": "bank.check_status", "effect": "refuse", "code": 102, "times": 1},
        {"target": "bank.check_status", "effect": "forge", "status": 400, "times": 1,
         "fields": {"transaction": {"amount": 1}}},
    )  # fmt: skip
    answers = [await sb.client.get(path, headers=headers) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 400, 400, 200]
    assert [one.json()["resultCode"] for one in answers] == ["107", "102", "100", "100"]
    forged = answers[2].json()["transaction"]
    assert (forged["amount"], forged["statusName"]) == (1, "CHARGE")


async def test_pay_and_token_refusals(sb: RunningSandbox) -> None:
    payment = await sb.payment_object("123456", 100)
    await sb.faults(
        {"target": "bank.pay", "effect": "refuse", "code": 488, "match": {"invoiceID": "123456"}},
        {"target": "bank.token", "effect": "refuse"},
    )
    paid = await sb.pay(payment)
    assert (paid.status, paid.reason_code) == ("FAILED", 488)
    answer = await sb.client.post("/epay/oauth2/token")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"target": "bank", "effect": "drop"},
        {"target": "mail", "effect": "forge"},
        {"target": "bank.webhook", "effect": "http_error"},
        {"target": "bank.token", "effect": "out_of_stock"},
        {"target": "bank.token", "effect": "drop", "times": 0},
        {"target": "bank.token", "effect": "drop", "colour": "red"},
    ],
)
async def test_a_rule_that_cannot_be_is_refused(sb: RunningSandbox, rule: JsonObject) -> None:
    assert (await sb.client.post("/control/faults", json=rule)).status_code == 422
    assert await sb.active_faults() == []


async def test_put_replaces_and_delete_clears(sb: RunningSandbox) -> None:
    await sb.faults({"target": "bank.token", "effect": "drop"})
    one = {"target": "bank.refund", "effect": "drop"}
    assert (await sb.client.put("/control/faults", json=one)).json()["rules"][0]["target"] == "bank.refund"
    assert (await sb.client.put("/control/faults", json={"rules": [one, one]})).status_code == 200
    assert len(await sb.active_faults()) == 2
    await sb.clear_faults()
    assert await sb.active_faults() == []


async def test_an_answer_without_end(sb: RunningSandbox) -> None:
    await sb.faults(
        {"target": "operator.usage", "effect": "endless", "message": "[" * 1000, "repeat": 3, "seconds": 0, "times": 1},
        {"target": "operator.usage", "effect": "endless", "message": "x" * 60_000, "repeat": 100_000, "seconds": 0},
    )
    assert (await sb.client.get("/operator/usage/1")).text == "[" * 3000
    async with sb.client.stream("GET", "/operator/usage/1") as answer:
        taken = 0
        async for part in answer.aiter_raw():
            taken += len(part)
            if taken > 10_000_000:
                break
    assert taken > 10_000_000
    assert (await sb.client.get("/health")).status_code == 200
