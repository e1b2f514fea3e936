"""The e-mails about what happened to an order, one for each kind of event."""

from collections.abc import Callable
from typing import get_args

import pytest

from notifications.emails.models.content import Rendered
from notifications.emails.rules.notes import KINDS, WITHOUT_LINK
from shared.contracts import Language

EventEmail = Callable[..., Rendered]


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_has_an_email_in_every_language(event_email: EventEmail, kind: str, language: str) -> None:
    rendered = event_email(kind, language)
    for content in (rendered.subject, rendered.text, rendered.html.partition("</style>")[2]):
        assert "10000001" in content
        assert "{" not in content
    for content in (rendered.text, rendered.html):
        assert ("https://shop.example/account/x" in content) is (kind not in WITHOUT_LINK)
        assert "support@qazaq-esim.example" in content


def test_what_is_asked_for_is_named_and_nothing_else(event_email: EventEmail) -> None:
    text = event_email("information").text
    assert "your full name" in text
    assert "screenshots" in text
    assert "a phone number" not in text
    assert "RF 4.3" in text


def test_a_receipt_is_linked_only_where_it_is_a_page(event_email: EventEmail) -> None:
    assert "https://ofd.example/t/1" in event_email("receipt").html
    assert "javascript" not in event_email("receipt", ticket_url="javascript:alert(1)").html


@pytest.mark.parametrize("language", get_args(Language))
def test_data_that_runs_low_and_data_that_is_used_up_differ(event_email: EventEmail, language: str) -> None:
    low, over = event_email("data_low", language), event_email("data_low", language, threshold_percent=100)
    assert "80" in low.subject
    assert low.subject != over.subject
    for rendered in (low, over):
        assert "8999702000000000018" in rendered.text
        assert "Europe 10 GB" in rendered.text


def test_the_email_of_a_held_order_does_not_name_the_rule(event_email: EventEmail) -> None:
    assert "orders_by_ip" not in event_email("held").text
