"""The conversation about a refund, without any channel: which questions it asks, and in which languages."""

import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from refunds.channels.models import AddFile, FileAppeal, Message, OpenCase, OrderContext, ShowStatus, State
from refunds.channels.rules.conversation import MESSAGES_PER_HOUR, begin, converse, count_message
from refunds.channels.rules.questions import contact, provided, steps
from refunds.channels.rules.texts import answer_texts, keyboard, question, reasons, texts
from refunds.policy import Reason
from refunds.policy.store import policies_in
from refunds.support_mail.rules.file_types import file_of
from shared.contracts import Language
from shared.testing.languages import NAMES, foreign_words
from shared.testing.shops import EXAMPLES

NAME, EMAIL, PHONE = "Annabella Quicksilver", "ann@example.org", "+995555000111"
LANGUAGES: tuple[Language, ...] = get_args(Language)
_PLACE = re.compile(r"\{\w+\}")
COMMANDS = frozenset({"start", "cancel", "status", "appeal"})


def message(words: str, **more: object) -> Message:
    return Message(words=words, language="en", **more)  # type: ignore[arg-type] # a test names what it needs


def talk(storefront: str, *messages: str) -> tuple[State, list[str | None]]:
    """What was asked after each message."""
    policy = policies_in(EXAMPLES).in_force(storefront, datetime(2026, 11, 20, tzinfo=UTC))
    state, asked = begin("en"), []
    for words in messages:
        state = converse(state, message(words), OrderContext(policy.required_fields)).state
        asked.append(state.step)
    return state, asked


@pytest.mark.parametrize(
    ("storefront", "messages", "asked"),
    [
        (
            "esimka",
            ["123456", "It does not work", "no data at all", "+995 555 000 111", NAME, "20.11.2026", "error 38"],
            ["reason", "circumstances", "email_or_phone", "full_name", "payment_date", "evidence", None],
        ),
        (
            "esimka",
            ["№ 123456", "3", "found wifi", EMAIL, NAME, "2026-11-20"],
            ["reason", "circumstances", "email_or_phone", "full_name", "payment_date", None],
        ),
        ("qazaq-esim", ["123456", "Не работает", "it fails", EMAIL], ["reason", "circumstances", "email", None]),
        ("e-sim-onl", ["123456", "lost_code", "12", EMAIL], ["reason", "reason", "email", None]),
        (
            "esimka",
            ["12345", "123456", "14", "13", " ", "x", "ann", EMAIL, "7", NAME, "31.02.2026", "1.2.2026"],
            [
                "order_number",
                "reason",
                "reason",
                "circumstances",
                "circumstances",
                "email_or_phone",
                "email_or_phone",
                "full_name",
                "full_name",
                "payment_date",
                "payment_date",
                None,
            ],
        ),
    ],
)
def test_it_asks_for_what_the_policy_requires(storefront: str, messages: list[str], asked: list[str | None]) -> None:
    state, found = talk(storefront, *messages)
    assert found == asked
    policy = policies_in(EXAMPLES).in_force(storefront, datetime(2026, 11, 20, tzinfo=UTC))
    assert state.reason is not None
    given = provided(state)
    assert all(given & set(item.any_of) for item in policy.required_fields(state.reason))


def test_a_number_that_the_channel_vouches_for_is_not_asked_for() -> None:
    policy = policies_in(EXAMPLES).in_force("esimka", datetime(2026, 11, 20, tzinfo=UTC))
    order = OrderContext(policy.required_fields, PHONE)
    state = State(step="reason", answers={"order_number": "123456"})
    asked = []
    for words in ("3", "found wifi", NAME, "20.11.2026"):
        turn = converse(state, message(words), order)
        state = turn.state
        asked.append(state.step)
    assert asked == ["circumstances", "full_name", "payment_date", None]
    assert isinstance(turn.intent, OpenCase)
    assert (contact(state, "phone"), contact(state, "email")) == (PHONE, None)
    assert {"phone", "reason", "full_name", "payment_date"} <= provided(state)


def test_commands_and_files_are_intents_of_a_chat_without_a_question() -> None:
    order = OrderContext(lambda _reason: ())
    state = State(language="ka")
    photo = file_of("p.jpg", b"\xff\xd8\xff photo", 0)
    assert converse(state, message("/appeal  it is wrong "), order).intent == FileAppeal("it is wrong")
    assert converse(state, message("hello?"), order).intent == ShowStatus()
    assert converse(state, message("", content=photo, file="File p.jpg"), order).intent == AddFile()
    refused = converse(State(language="kk", step="evidence"), message("", refusal="type"), order)
    assert refused.state.step == "evidence"
    assert "PDF" in refused.text
    assert "Экран суретін" in refused.text, "the question again"


def test_evidence_is_asked_last() -> None:
    policy = policies_in(EXAMPLES).in_force("esimka", datetime(2026, 11, 20, tzinfo=UTC))
    required = policy.required_fields("technical_failure")
    assert [steps(order)[-1] for order in (required, required[::-1])] == ["evidence", "evidence"]


def test_everything_is_said_in_every_language() -> None:
    english = texts("en")
    assert set(english["reasons"]) == set(get_args(Reason))
    for language in LANGUAGES:
        own = texts(language)
        assert {section: set(names) for section, names in own.items()} == {
            section: set(names) for section, names in english.items()
        }
        for section, names in own.items():
            for name, text in names.items():
                assert _PLACE.findall(text) == _PLACE.findall(english[section][name]), (language, name)
                assert foreign_words(text, language, NAMES | COMMANDS) == [], (language, name)
        assert question("reason", language).count("\n") == len(reasons(language))
        assert sum(map(len, keyboard("reason", language))) == len(reasons(language))
    state, _ = talk("esimka", "123456", "3", "why", EMAIL, NAME)
    assert NAME in str(state.answers)
    assert "Annabella" not in repr(state)


@pytest.mark.parametrize(("language", "said"), [("en", "yes"), ("ru", "да"), ("kk", "да"), ("ka", "yes")])
def test_a_decision_of_an_earlier_release_is_said_in_the_nearest_language(language: Language, said: str) -> None:
    first, hint = answer_texts({"en": "yes", "ru": "да"}, "deny", language)
    assert first == said
    assert "/appeal" in hint
    now = {"en": "yes", "ru": "да", "kk": "иә", "ka": "კი"}
    assert answer_texts(now, "deny", language)[0] == now[language]


def test_an_hour_later_the_chat_is_answered_again() -> None:
    began = datetime(2026, 11, 20, 12, tzinfo=UTC)
    full = State(messages=MESSAGES_PER_HOUR + 1, messages_since=began)
    assert count_message(full, began + timedelta(minutes=59)) == (MESSAGES_PER_HOUR + 2, began)
    assert count_message(full, began + timedelta(hours=1)) == (1, began + timedelta(hours=1))
