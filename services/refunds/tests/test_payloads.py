"""What release 1.0.1 stores in tasks and chats is read, and what is stored now is what that release reads."""

import json
from datetime import UTC, datetime

import pytest

from refunds.cases.models.payloads import CaseDuePayload
from refunds.channels.models import State
from refunds.channels.telegram.models import SendMessagePayload
from refunds.late_deliveries.models import DeliveryDuePayload
from shared.task_payload import NoPayload, TaskPayload, parse, stored
from shared.testing.documents import JsonObject

STORED = [
    (CaseDuePayload, {"order_id": "01938c5e-7d3a-7000-8000-000000000001"}),
    (DeliveryDuePayload, {"storefront": "esimka", "since": "2026-11-20T12:00:00+00:00", "limit": 86400.0}),
    (
        SendMessagePayload,
        {
            "storefront": "esimka",
            "chat": {"recipient": "refunds", "box": "AAAA"},
            "text": "Which e-mail address did you order with?",
            "buttons": [["It does not work", "It never came"], ["Something else"]],
        },
    ),
    (NoPayload, {}),
]


@pytest.mark.parametrize(("model", "row"), STORED, ids=[model.__name__ for model, _ in STORED])
def test_a_payload_is_stored_as_the_release_before_stored_it(model: type[TaskPayload], row: JsonObject) -> None:
    payload = parse(model, row)
    assert json.loads(stored(payload)) == row


def test_a_new_delivery_check_is_stored_as_the_release_before_stored_it() -> None:
    since = datetime(2026, 11, 20, 12, tzinfo=UTC)
    payload = DeliveryDuePayload(storefront="esimka", since=since, limit_seconds=86400.0)
    assert json.loads(stored(payload)) == {"storefront": "esimka", "since": since.isoformat(), "limit": 86400.0}


def test_the_state_of_a_chat_is_stored_as_the_release_before_stored_it() -> None:
    row = {"language": "ru", "step": "email", "reason": "lost_code", "told": {"order_number": "123456"}, "heard": 3}
    state = State.model_validate(row)
    assert (state.answers, state.messages) == ({"order_number": "123456"}, 3)
    assert state.model_dump(mode="json", exclude_defaults=True) == row


@pytest.mark.parametrize(("language", "nearest"), [("kk", "ru"), ("ka", "en")])
def test_a_chat_in_a_new_language_is_one_that_the_release_before_can_answer(language: str, nearest: str) -> None:
    state = State.model_validate({"language": language, "step": "email"})
    row = state.model_dump(mode="json", exclude_defaults=True)
    assert row == {"language": nearest, "speaks": language, "step": "email"}
    assert State.model_validate(row) == state
