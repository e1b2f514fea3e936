"""Refunds that the bank refused are listed while they wait for a person, over HTTP and by `fulfil refunds refused`."""

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from fulfil.cli import main
from shared.contracts import Event, Money, RefundFailed, RefundPaidByHand, RefundRetried
from shared.ids import uuid7

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Life, Start


HOUR = timedelta(hours=1)


def refused(order: "Life", hours: int, reason: str = "the card is closed") -> RefundFailed:
    return RefundFailed(
        **order.about, refund_id=order.refund_id, amount=order.money, reason=reason, failed_at=order.at + hours * HOUR
    )


def retried(order: "Life", hours: int) -> RefundRetried:
    return RefundRetried(
        **order.about, refund_id=order.refund_id, amount=order.money, attempt=2, retried_at=order.at + hours * HOUR
    )


def paid_by_hand(order: "Life", left: int) -> RefundPaidByHand:
    return RefundPaidByHand(
        **order.about,
        refund_id=order.refund_id,
        payment_id=uuid7(),
        amount=Money(amount=order.money.amount - left, currency="USD"),
        way="bank_transfer",
        left=Money(amount=left, currency="USD"),
        paid_at=order.at + HOUR,
    )


async def test_a_refused_refund_waits_until_it_is_tried_again_or_settled(start: "Start", life: "type[Life]") -> None:
    running = await start(evaluation_seconds=3600)
    order = life()
    steps: tuple[tuple[Event, bool], ...] = (
        (order.placed(), False),
        (order.approved(), False),
        (refused(order, 1), True),
        (retried(order, 2), False),
        (refused(order, 3, "the bank is closed"), True),
        (retried(order, 2), True),  # published late: the last refusal is newer
        (order.settled(), False),
        (refused(order, 3), False),
    )
    for event, waits in steps:
        await running.known(event)
        listed = (await running.get("/refunds/refused")).json()
        assert [one["refund_id"] for one in listed["items"]] == [str(order.refund_id)] * waits, event
        assert listed["total"] == int(waits)


async def test_each_is_shown_with_what_is_left_and_why_the_longest_waiting_first(
    start: "Start", life: "type[Life]"
) -> None:
    running = await start(evaluation_seconds=3600)
    later, first, unknown = life(), life(), life()
    await running.known(later.placed(), later.approved(), refused(later, 3), paid_by_hand(later, 500))
    await running.known(first.placed(), first.approved(), refused(first, 1, "no such card"), refused(first, 2))
    await running.known(refused(unknown, 4))  # its order and its approval were published before this service existed
    listed = (await running.get("/refunds/refused")).json()
    assert [one["refund_id"] for one in listed["items"]] == [str(one.refund_id) for one in (first, later, unknown)]
    assert [one["left_minor"] for one in listed["items"]] == [1500, 500, 1500]
    assert [one["reason"] for one in listed["items"]] == ["the card is closed"] * 3
    assert [one["case_id"] for one in listed["items"]] == [str(first.case_id), str(later.case_id), None]
    assert listed["items"][0]["order_number"] == first.order_number
    assert (await running.get("/refunds/refused", key=None)).status_code == 401


async def test_the_command_line_shows_the_list(
    start: "Start", life: "type[Life]", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = await start(evaluation_seconds=3600)
    order = life()
    monkeypatch.setenv("FULFIL_SERVICES", json.dumps({"operations": running.address}))
    monkeypatch.setenv("FULFIL_KEY", "a-key")
    assert await asyncio.to_thread(main, ["refunds", "refused"]) == 0
    assert capsys.readouterr().out == "No refund that the bank refused waits for a person.\n"
    await running.known(order.placed(), order.approved(), refused(order, 1))
    assert await asyncio.to_thread(main, ["refunds", "refused"]) == 0
    shown = capsys.readouterr().out
    for wanted in (order.order_number, "esimka", "15.00 USD", "the card is closed", str(order.case_id)):
        assert wanted in shown
    assert await asyncio.to_thread(main, ["refunds", "refused", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == (await running.get("/refunds/refused")).json()
    monkeypatch.setenv("FULFIL_KEY", "another-key")
    assert await asyncio.to_thread(main, ["refunds", "refused"]) == 2
    assert "does not know this operations key" in capsys.readouterr().err
