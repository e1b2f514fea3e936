"""What a buyer reads of a refund that the bank refused: in each language, at each step, and each step once."""

from typing import TYPE_CHECKING

import pytest

from shared.contracts import Language, Money, RefundFailed, RefundPaidByHand, RefundRetried, RefundSettled
from shared.ids import uuid7

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Start

WHOLE = Money(amount=1299000, currency="KZT")


def failed(buyer: "Buyer", attempt: int | None = 1) -> RefundFailed:
    return RefundFailed(
        **buyer.order, refund_id=buyer.refund_id, amount=WHOLE, reason="no", failed_at=buyer.now, attempt=attempt
    )


def retried(buyer: "Buyer", attempt: int) -> RefundRetried:
    return RefundRetried(**buyer.order, refund_id=buyer.refund_id, attempt=attempt, amount=WHOLE, retried_at=buyer.now)


def paid_by_hand(buyer: "Buyer", minor: int, left: int, way: str = "cash") -> RefundPaidByHand:
    return RefundPaidByHand(
        **buyer.order,
        refund_id=buyer.refund_id,
        payment_id=uuid7(),
        amount=Money(amount=minor, currency="KZT"),
        left=Money(amount=left, currency="KZT"),
        way=way,
        paid_at=buyer.now,
    )


def settled_by_hand(buyer: "Buyer", way: str = "cash") -> RefundSettled:
    return RefundSettled(
        **buyer.order, refund_id=buyer.refund_id, amount=WHOLE, settled_at=buyer.now, way=way, paid_by_hand=WHOLE
    )


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


async def test_a_refusal_is_one_mail_and_a_retry_that_succeeds_another(start: "Start") -> None:
    running = await start(gather_seconds=0.1)
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.refund(), failed(buyer))
    assert await running.kinds(buyer.email, 2) == ["refund", "refused"]
    mail = next(one for one in await running.sandbox.mails(buyer.email) if ".refused@" in one["message_id"])
    assert "12 990,00 KZT" in plain(mail["text"]) or "12,990.00 KZT" in plain(mail["text"])
    # Tried again and refused again, published twice and in any order: no mail; the page says it.
    await running.stage.publish(failed(buyer, 2), retried(buyer, 2), failed(buyer, 2), failed(buyer, None))
    await running.until_rows("SELECT 1 FROM mails WHERE kind = 'retried'")
    await running.stage.publish(retried(buyer, 3), buyer.settled())
    assert await running.kinds(buyer.email, 3) == ["refund", "refused", "settled"]
    assert len(await running.sandbox.mails(buyer.email)) == 3


@pytest.mark.parametrize("language", ["en", "ru", "kk", "ka"])
async def test_paid_in_parts_by_hand(start: "Start", language: Language) -> None:
    """A way that is not known here is "another way"."""
    running = await start(gather_seconds=0.1)
    buyer = running.buyer(language=language)
    await running.stage.publish(buyer.contact(), buyer.refund(), failed(buyer))
    assert await running.kinds(buyer.email, 2) == ["refund", "refused"]
    await running.stage.publish(paid_by_hand(buyer, 299000, 1000000, "camel"))
    assert await running.kinds(buyer.email, 3) == ["paid_by_hand", "refund", "refused"]
    await running.stage.publish(paid_by_hand(buyer, 1000000, 0), settled_by_hand(buyer))
    assert await running.kinds(buyer.email, 4) == ["paid_by_hand", "refund", "refused", "settled"]
    mails = await running.sandbox.mails(buyer.email)
    assert len({mail["subject"] for mail in mails}) == 4
    assert not any("{" in mail["text"] or "{" in mail["subject"] for mail in mails)
