"""The e-mails about a refund: approved, settled, denied."""

from collections.abc import Callable

import pytest

from notifications.emails.models.content import Rendered
from shared.contracts import Method, OrderEvent

EventEmail = Callable[..., Rendered]


def test_a_refund_says_how_much_why_and_when(event_email: EventEmail) -> None:
    english, russian = event_email("refund"), event_email("refund", "ru")
    for wanted in ("12,990.00\u00a0KZT", "10000001", "20\u00a0December 2026", "RP 2.1, PO 5.4"):
        assert wanted in english.text
        assert wanted in english.html
    assert "It <could> not be made." in english.text
    assert "It &lt;could&gt; not be made." in english.html
    assert "12\u00a0990,00\u00a0KZT" in russian.subject
    assert "Её не удалось <выпустить>." in russian.text
    assert "Expected by" not in event_email("refund", credited_by=None).text


def test_a_refusal_states_grounds_and_how_to_appeal(event_email: EventEmail) -> None:
    text = event_email("denied").text
    assert "It was activated." in text
    assert "RF 3.1" in text
    assert "Another person" in text


@pytest.mark.parametrize(("method", "where"), [("card", "card"), ("bank_transfer", "account"), ("wallet", "wallet")])
def test_a_settled_refund_says_where_and_when(event_email: EventEmail, method: Method, where: str) -> None:
    text = event_email("settled", method=method).text
    assert where in text
    for wanted in ("25\u00a0November 2026", "4\u00a0December 2026", "20\u00a0December 2026"):
        assert wanted in text


def test_an_approval_that_was_settled_at_once_says_both(event_email: EventEmail, events: dict[str, OrderEvent]) -> None:
    text = event_email("refund", settled=events["settled"]).text
    assert "25\u00a0November 2026" in text
    assert "Expected by" not in text
