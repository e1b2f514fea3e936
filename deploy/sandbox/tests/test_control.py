"""Ledgers, requests, reset, health; the ledgers at 20,000 entries."""

import gc
import time
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.bank.ledger import Transaction
from sandbox.clock import now
from sandbox.testing import RunningSandbox

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"


async def test_health_tells_the_smtp_port(sb: RunningSandbox) -> None:
    answer = await sb.client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["smtp_port"] == sb.smtp_port


async def test_ledgers_answer_only_what_changed_since(sb: RunningSandbox) -> None:
    await sb.pay(await sb.payment_object("200001", 100))
    first = (await sb.client.get("/control/ledger/bank")).json()
    await sb.pay(await sb.payment_object("200002", 100))
    (changed,) = await sb.ledger_bank(since=first["seq"])
    assert changed["invoiceID"] == "200002"
    assert await sb.ledger_bank(since=10**6) == []


async def test_ledgers_take_a_time_too(sb: RunningSandbox) -> None:
    await sb.pay(await sb.payment_object("200001", 100))
    before = datetime.now(UTC) - timedelta(hours=1)
    assert len(await sb.ledger_bank(since=before.isoformat().replace("+", "%2B"))) == 1
    assert len(await sb.ledger_bank(since=before.isoformat())) == 1
    assert await sb.ledger_bank(since=f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}") == []
    for wrong in ("yesterday", "2026-01-01T00:00:00"):
        assert (await sb.client.get(f"/control/ledger/bank?since={wrong}")).status_code == 422


async def test_requests_show_what_came_newest_first(sb: RunningSandbox) -> None:
    await sb.client.post("/epay/oauth2/token", data={"a": "б"})
    await sb.client.get("/operator/usage/1?x=1", headers={"X-Trace": "7"})
    newest, oldest = await sb.requests()
    assert (newest["method"], newest["path"], newest["query"], newest["status"]) == (
        "GET",
        "/operator/usage/1",
        "x=1",
        404,
    )
    assert newest["headers"]["x-trace"] == "7"
    assert oldest["body"] == "a=%D0%B1"
    assert len(await sb.requests("usage")) == 1
    assert len(await sb.requests(limit=1)) == 1


async def test_reset_empties_everything(sb: RunningSandbox) -> None:
    await sb.pay(await sb.payment_object("200001", 100))
    await sb.faults({"target": "bank.refund", "effect": "drop"})
    await sb.bank_behaviour(deduplicate_refunds=True)
    await sb.operator_catalogue(profile_types=["A"], stock={"A": 1}, progress_url="http://x")
    sb.stands.mails.add("s@x", ["a@x"], b"")
    await sb.reset()
    assert await sb.ledger_bank() == []
    assert await sb.active_faults() == []
    assert await sb.requests() == []
    assert (await sb.ledger_mail())["messages"] == []
    assert await sb.bank_behaviour() == {
        "deduplicate_refunds": False,
        "partial_refund_status": "CHARGE",
        "amount_after_refund": "original",
    }
    assert await sb.operator_catalogue() == {
        "profile_types": [],
        "stock": {},
        "allowances": {},
        "progress_url": "",
        "push_url": "",
    }
    assert (await sb.pay(await sb.payment_object("200001", 100))).status == "CHARGE"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/control/webhooks/resend", {"invoiceID": "1", "colour": "red"}),
        ("POST", "/control/bank/settle", {"invoiceID": "1", "status": "MAYBE"}),
        ("PUT", "/control/bank/behaviour", {"partial_refund_status": "MAYBE"}),
        ("PUT", "/control/operator/catalogue", {"stock": "much"}),
        ("POST", "/control/operator/phone", {"iccid": "1", "points": []}),
        ("POST", "/control/operator/usage", {"iccid": "1", "usedBytes": -1}),
    ],
)
async def test_bad_control_requests_are_refused(
    sb: RunningSandbox, method: str, path: str, body: dict[str, object]
) -> None:
    assert (await sb.client.request(method, path, json=body)).status_code == 422


@pytest.mark.parametrize("path", ["/control/operator/phone", "/control/operator/usage"])
async def test_unknown_profiles(sb: RunningSandbox, path: str) -> None:
    body = {"iccid": "1", "points": [3]} if path.endswith("phone") else {"iccid": "1", "usedBytes": 1}
    assert (await sb.client.post(path, json=body)).status_code == 404


async def test_twenty_thousand_entries_are_read_quickly(sb: RunningSandbox) -> None:
    at = now()
    for number in range(20_000):
        sb.stands.bank.ledger.record(
            Transaction(
                id=str(number),
                invoice_id=f"{number:06d}",
                amount=100,
                currency="KZT",
                terminal=TERMINAL,
                status="CHARGE",
                created_at=at,
                changed_at=at,
            )
        )
        sb.stands.mails.add("s@x", [f"{number}@x"], b"Message-ID: <%d>\r\n\r\n" % number)
    for path in ("/control/ledger/bank", "/control/ledger/mail"):
        gc.collect()  # what other tests left is not this one's time
        started = time.process_time()
        answer = await sb.client.get(path)
        assert time.process_time() - started < 1.5
        assert answer.content.count(b'"at":' if "mail" in path else b'"createdAt":') == 20_000
    gc.collect()
    started = time.process_time()
    assert len(await sb.ledger_bank(since=19_990)) == 10
    assert time.process_time() - started < 0.2
