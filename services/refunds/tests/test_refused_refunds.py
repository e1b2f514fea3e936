"""A refund that the bank refused, seen by agents: what they can do, who may confirm, and what payments answered."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest

from refunds.refused_refunds.rules import names_an_account
from shared.contracts import (
    HandPaymentDecided,
    HandPaymentRecorded,
    Money,
    OrderEvent,
    RefundActionAnswered,
    RefundApproved,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
    RefundRetryRequested,
    RefundSettled,
)
from shared.contracts.base import Event
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Refunds, Start

AMOUNT = 599000


class Case:
    """An approved case whose refund the bank has refused."""

    def __init__(self, running: "Refunds", approved: RefundApproved) -> None:
        self.running = running
        self.case_id = approved.case_id
        self.refund_id = approved.refund_id
        self.order_id = approved.order_id
        self.about = {name: getattr(approved, name) for name in OrderEvent.model_fields} | {
            "refund_id": approved.refund_id
        }
        self.now = running.service.clock.now

    def failed(self, attempt: int | None = 1, **changes: object) -> RefundFailed:
        money = Money(amount=AMOUNT, currency="USD")
        fields = {"amount": money, "reason": f"no ({attempt})", "failed_at": self.now(), "attempt": attempt}
        return RefundFailed(**self.about, **fields | changes)

    def answered(self, action_id: UUID, reason: str | None = None) -> RefundActionAnswered:
        return RefundActionAnswered(
            **self.about, action_id=action_id, accepted=reason is None, reason=reason, answered_at=self.now()
        )

    def retried(self, attempt: int) -> RefundRetried:
        money = Money(amount=AMOUNT, currency="USD")
        return RefundRetried(**self.about, attempt=attempt, amount=money, retried_at=self.now())

    def paid(self, payment_id: UUID, minor: int, left: int) -> RefundPaidByHand:
        return RefundPaidByHand(
            **self.about,
            payment_id=payment_id,
            amount=Money(amount=minor, currency="USD"),
            left=Money(amount=left, currency="USD"),
            way="cash",
            paid_at=self.now(),
        )

    async def retry(self, key: str = "agent-key", action_id: UUID | None = None) -> httpx.Response:
        return await self.running.post(
            f"/cases/{self.case_id}/refund/retry", {"action_id": str(action_id or uuid7())}, key
        )

    async def pay(self, minor: int = AMOUNT, key: str = "agent-key", **changes: object) -> httpx.Response:
        body = {"payment_id": str(uuid7()), "amount_minor": minor, "way": "cash", "reference": "KO 17", **changes}
        return await self.running.post(f"/cases/{self.case_id}/refund/hand-payments", body, key)

    async def decide(
        self, payment: httpx.Response, key: str = "boris-key", *, confirmed: bool = True
    ) -> httpx.Response:
        [action] = [one for one in payment.json()["actions"] if one["ended_at"] is None]
        path = f"/cases/{self.case_id}/refund/hand-payments/{action['action_id']}/decision"
        return await self.running.post(path, {"confirmed": confirmed}, key)

    async def shown(self) -> Json:
        return (await self.running.get(f"/cases/{self.case_id}/refund")).json()

    async def state(self) -> str:
        answer = await self.running.get(f"/cases/{self.order_id}")
        return str(answer.json()["cases"][0]["state"])

    async def until(self, **wanted: object) -> Json:
        async def there() -> Json:
            shown = await self.shown()
            return shown if shown and all(shown[name] == value for name, value in wanted.items()) else None

        return await self.running.stage.eventually(there)

    async def publish(self, *events: Event) -> None:
        await self.running.stage.publish(*events)


async def refused(running: "Refunds", attempt: int | None = 1) -> Case:
    life = running.life("esimka", "USD")
    await running.stage.publish(life.paid(), life.failed())
    [approved] = await running.stage.events(RefundApproved, where=lambda e: e.order_id == life.order_id)
    case = Case(running, approved.event)
    await case.publish(case.failed(attempt=attempt))
    await case.until(settled=False)
    return case


async def open_action(case: Case) -> UUID:
    [action] = [one for one in (await case.shown())["actions"] if one["ended_at"] is None]
    return UUID(action["action_id"])


@pytest.mark.parametrize("attempt", [1, None], ids=["now", "from-an-older-version"])
async def test_a_refusal_shows_the_banks_reason_and_what_is_owed(start: "Start", attempt: int | None) -> None:
    running = await start()
    case = await refused(running, attempt=attempt)
    shown = await case.shown()
    assert (shown["failure"], shown["attempts"]) == (f"no ({attempt})", 1)
    assert shown["left"] == {"amount": AMOUNT, "currency": "USD"}
    assert await case.state() == "needs_person"


async def test_a_retry_is_published_once_and_the_case_is_under_way_until_the_bank_answers(start: "Start") -> None:
    running = await start()
    case = await refused(running)
    action_id = uuid7()
    for _ in range(2):
        assert (await case.retry(action_id=action_id)).status_code == 202
    assert (await case.retry()).status_code == 409
    assert (await case.pay()).status_code == 409
    [requested] = await running.stage.events(RefundRetryRequested)
    assert (requested.event.action_id, requested.event.refund_id) == (action_id, case.refund_id)
    await case.publish(case.answered(action_id), case.retried(2))
    await case.until(under_way=True)
    assert await case.state() == "paying"
    assert (await case.retry()).status_code == 409
    await case.publish(case.failed(2))
    shown = await case.until(under_way=False, attempts=2)
    assert (shown["failure"], await case.state()) == ("no (2)", "needs_person")
    await case.publish(case.failed(1), case.retried(2))  # again, late: nothing changes
    assert (await case.retry()).status_code == 202
    assert len(await running.stage.all_events(RefundRetryRequested)) == 2
    trail = await running.rows("SELECT who FROM audit WHERE what = 'refund_retry_requested'")
    assert [row["who"] for row in trail] == ["agent:anna", "agent:anna"]


async def test_a_payment_by_hand_needs_a_second_person(start: "Start") -> None:
    running = await start()
    case = await refused(running)
    payment = await case.pay(key="agent-key")
    assert payment.status_code == 202
    [recorded] = await running.stage.events(HandPaymentRecorded)
    assert (recorded.event.amount.amount, recorded.event.way, recorded.event.reference) == (AMOUNT, "cash", "KO 17")
    early = await case.decide(payment)
    assert (early.status_code, "not answered yet" in early.text) == (409, True)
    await case.publish(case.answered(recorded.event.payment_id))
    await running.until_rows("SELECT 1 FROM refund_actions WHERE accepted")
    own = await case.decide(payment, "agent-key")
    assert (own.status_code, own.json()["detail"]) == (409, "Who recorded a payment cannot confirm or reject it.")
    for _ in range(2):
        assert (await case.decide(payment, "boris-key")).status_code == 202
    assert (await case.decide(payment, "boris-key", confirmed=False)).status_code == 409
    [decided] = await running.stage.events(HandPaymentDecided)
    assert (decided.event.confirmed, decided.event.payment_id) == (True, recorded.event.payment_id)
    assert decided.event.decided_by != recorded.event.recorded_by
    whole = Money(amount=AMOUNT, currency="USD")
    await case.publish(
        case.answered(decided.event.decision_id),
        case.paid(recorded.event.payment_id, AMOUNT, 0),
        RefundSettled(**case.about, amount=whole, settled_at=case.now(), way="cash", paid_by_hand=whole),
    )
    await case.until(settled=True)
    await running.until_rows("SELECT 1 FROM cases WHERE closed_as = 'settled'")
    trail = [row["what"] for row in await running.rows("SELECT what FROM audit WHERE case_id IS NOT NULL ORDER BY at")]
    assert {"hand_payment_recorded", "hand_payment_confirmed", "paid_by_hand", "settled"} <= set(trail)


async def test_the_database_wants_a_second_person_too(start: "Start") -> None:
    running = await start()
    case = await refused(running)
    await case.pay()
    with pytest.raises(Exception, match="refund_action_second_person"):
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE refund_actions SET decided_by = requested_by")


async def test_after_a_part_the_rest_is_owed_and_can_be_paid(start: "Start") -> None:
    running = await start()
    case = await refused(running)
    payment = await case.pay(199000)
    payment_id = await open_action(case)
    await case.publish(case.answered(payment_id))
    await running.until_rows("SELECT 1 FROM refund_actions WHERE accepted")
    await case.decide(payment)
    [decided] = await running.stage.events(HandPaymentDecided)
    await case.publish(case.answered(decided.event.decision_id), case.paid(payment_id, 199000, 400000))
    shown = await case.until(left={"amount": 400000, "currency": "USD"})
    await running.until_rows("SELECT 1 FROM refund_actions WHERE ended_at IS NOT NULL")
    assert await case.state() == "needs_person"
    assert (await case.pay(400001)).status_code == 409
    assert (await case.pay(400000)).status_code == 202
    assert shown["settled"] is False


async def test_what_payments_refuses_is_shown_and_ends_the_action(start: "Start") -> None:
    running = await start()
    case = await refused(running)
    await case.pay()
    await case.publish(case.answered(await open_action(case), "beyond_payment"))
    await running.until_rows("SELECT 1 FROM refund_actions WHERE ended_at IS NOT NULL")
    [action] = (await case.shown())["actions"]
    assert "PO 6.3" in action["refusal"]
    assert (await case.retry()).status_code == 202


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minor": AMOUNT + 1}, "more than is still owed"),
        ({"way": "crypto"}, "Choose how"),
        ({"reference": "4111 1111 1111 1111"}, "not of a card"),
        ({"reference": "KZ86 125K ZT50 0410 0100"}, "not of a card"),
        ({"reference": "Айгерим"}, "payment document"),
    ],
    ids=["too-much", "way", "card", "iban", "name"],
)
async def test_what_cannot_be_recorded_is_refused_in_words(start: "Start", change: JsonObject, message: str) -> None:
    running = await start()
    case = await refused(running)
    answer = await case.pay(**change)
    assert (answer.status_code, message in answer.json()["detail"]) == (409, True), answer.text
    assert await running.rows("SELECT * FROM refund_actions") == []


async def test_of_two_agents_at_once_one_acts(start: "Start") -> None:
    running = await start()
    case = await refused(running)
    answers = await asyncio.gather(case.retry(), case.pay(key="boris-key"), case.pay(), case.retry("boris-key"))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert len(await running.rows("SELECT * FROM refund_actions")) == 1


async def test_nothing_is_possible_where_the_bank_has_not_refused(start: "Start") -> None:
    running = await start()
    life = running.life("esimka", "USD")
    await running.stage.publish(life.paid(), life.failed())
    [approved] = await running.stage.events(RefundApproved)
    case = Case(running, approved.event)
    assert await case.shown() is None
    assert (await case.retry()).status_code == (await case.pay()).status_code == 409
    assert (await case.retry("esimka-key")).status_code == 401


def test_numbers_of_documents_are_distinguished_from_cards_and_accounts() -> None:
    for reference in ("PO 2026-114", "KO 17", "100000417", "4111111111111112", "MT103/778812"):
        assert not names_an_account(reference), reference
    for reference in ("4111-1111-1111-1111", "KZ86125KZT5004100100", "GE29NB0000000101904917"):
        assert names_an_account(reference), reference
