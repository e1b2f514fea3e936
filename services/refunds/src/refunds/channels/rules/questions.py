"""Which questions a request needs, and what an answer to each of them says."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import get_args

from refunds.channels.models import Message, State
from refunds.channels.rules.texts import reasons, step_name
from refunds.policy import Reason, RequestField, Required
from shared.contracts import Language
from shared.values.email_address import Email
from shared.values.moment import day_in_bounds
from shared.values.refusal import InvalidValueError

_ORDER_NUMBER = re.compile(r"[0-9]{6,15}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{5,24}[0-9]")
_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_LONGEST_NAME = 200
LANGUAGES: tuple[Language, ...] = get_args(Language)


def next_step(state: State, requirements: Callable[[Reason], Sequence[Required]]) -> str | None:
    """The next question; None: everything is answered."""
    if "order_number" not in state.answers:
        return "order_number"
    if state.reason is None:
        return "reason"
    return next((step for step in steps(requirements(state.reason)) if not _is_answered(step, state)), None)


def _is_answered(step: str, state: State) -> bool:
    """A channel may have answered for the buyer: the sender of a message has a telephone number."""
    return step in state.answers or (step == "email_or_phone" and "phone" in state.answers)


def steps(required: Sequence[Required]) -> list[str]:
    """The questions after number and reason. Where the policy requires the reason, the circumstances are asked.

    Evidence comes last: a file is kept only when the order and the buyer are known.
    """
    questions: list[str] = []
    for item in required:
        if "reason" in item.any_of:
            questions.insert(0, "circumstances")  # right after the reason
        elif item.any_of != ("order_number",):
            questions.append(step_name(item.any_of))
    if not {"email", "phone", "email_or_phone"} & set(questions):
        questions.append("email")  # only a contact tells the buyer from a stranger
    return sorted(questions, key=lambda step: step == "evidence")


def read_answer(step: str, message: Message) -> str | None:
    """What the message answers to a question; None: it does not."""
    return _READERS[step](message)


def provided(state: State) -> frozenset[RequestField]:
    """The fields of the policy that were answered."""
    fields: set[RequestField] = {"order_number", "reason"}
    names: tuple[RequestField, ...] = ("full_name", "payment_date", "evidence")
    fields.update(name for name in names if name in state.answers)
    if contact(state, "email"):
        fields.add("email")
    if contact(state, "phone"):
        fields.add("phone")
    return frozenset(fields)


def contact(state: State, field: str) -> str | None:
    """The e-mail or phone that was given, also where the question asked for one of both."""
    either = state.answers.get("email_or_phone")
    if field in state.answers:
        return state.answers[field]
    if either is None or ("@" in either) != (field == "email"):
        return None
    return either


def _order_number(message: Message) -> str | None:
    words = message.words.lstrip("#№ ")
    return words if _ORDER_NUMBER.fullmatch(words) else None


def _reason(message: Message) -> str | None:
    """A button's label in any language, or its number."""
    words = message.words.strip().casefold().rstrip(".")
    for language in LANGUAGES:
        for number, (reason, label) in enumerate(reasons(language).items(), 1):
            if words in (str(number), label.casefold()):
                return reason
    return None


def _email(message: Message) -> str | None:
    try:
        return Email.parse(message.words).text
    except InvalidValueError:
        return None


def _phone(message: Message) -> str | None:
    return message.words if _PHONE.fullmatch(message.words) else None


def _email_or_phone(message: Message) -> str | None:
    return _email(message) or _phone(message)


def _full_name(message: Message) -> str | None:
    letters = sum(letter.isalpha() for letter in message.words)
    return message.words if letters > 1 and len(message.words) <= _LONGEST_NAME else None


def _payment_date(message: Message) -> str | None:
    found = _DATE.fullmatch(message.words)
    try:
        if found:
            return day_in_bounds(date(int(found[3]), int(found[2]), int(found[1]))).isoformat()
        return day_in_bounds(date.fromisoformat(message.words)).isoformat()
    except ValueError:
        return None


def _text(message: Message) -> str | None:
    return message.words.strip() or None


def _evidence(message: Message) -> str | None:
    return " ".join(filter(None, (message.file, message.words))) or None


_READERS: Mapping[str, Callable[[Message], str | None]] = {
    "order_number": _order_number,
    "reason": _reason,
    "circumstances": _text,
    "email": _email,
    "phone": _phone,
    "email_or_phone": _email_or_phone,
    "full_name": _full_name,
    "payment_date": _payment_date,
    "evidence": _evidence,
}
