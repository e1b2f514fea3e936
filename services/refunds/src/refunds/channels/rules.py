"""One step of the conversation, pure: from the state and a reply to the next state and question."""

import re
from collections.abc import Callable, Sequence
from datetime import date

from refunds.channels.models import Reply, State, Step
from refunds.channels.texts import REASONS, step_name
from refunds.policy import Reason, RequestField, Required
from shared.values.email_address import Email
from shared.values.moment import day_in_bounds
from shared.values.refusal import InvalidValueError

_ORDER_NUMBER = re.compile(r"[0-9]{6,15}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{5,24}[0-9]")
_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_LONGEST_NAME = 200
#: What the policy requires of a request, once the order's number and the reason are known.
Requirements = Callable[[str, Reason], Sequence[Required]]


def begin(language: str, previous: State | None = None) -> State:
    """The state of a new request. Mismatches are kept."""
    kept = {} if previous is None else previous.model_dump(include={"mismatches", "mismatched_at"})
    return State(language=language, step="order_number", **kept)


def advance(state: State, reply: Reply, requirements: Requirements) -> Step:
    """Read the reply to the last question, and determine the next question."""
    if state.step is None:
        return Step(state, understood=False)
    value = _READERS[state.step](reply, state.language)
    if value is None:
        return Step(state, understood=False)
    answers = {**state.answers, state.step: value}
    if state.step == "reason":
        answers.pop("reason")
        state = state.model_copy(update={"reason": value})
    state = state.model_copy(update={"answers": answers})
    return Step(state.model_copy(update={"step": _next(state, requirements)}), understood=True)


def _next(state: State, requirements: Requirements) -> str | None:
    number = state.answers.get("order_number")
    if number is None:
        return "order_number"
    if state.reason is None:
        return "reason"
    return next((step for step in steps(requirements(number, state.reason)) if step not in state.answers), None)


def steps(required: Sequence[Required]) -> list[str]:
    """The questions after number and reason. Where the policy requires the reason, the circumstances are asked."""
    questions: list[str] = []
    for item in required:
        if "reason" in item.any_of:
            questions.insert(0, "circumstances")  # right after the reason
        elif item.any_of != ("order_number",):
            questions.append(step_name(item.any_of))
    if not {"email", "phone", "email_or_phone"} & set(questions):
        questions.append("email")  # only a contact tells the buyer from a stranger
    return questions


def provided(state: State) -> frozenset[RequestField]:
    """The fields of the policy that the chat has answered."""
    fields: set[RequestField] = {"order_number", "reason"}
    names: tuple[RequestField, ...] = ("email", "phone", "full_name", "payment_date", "evidence")
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


def _order_number(reply: Reply, _language: str) -> str | None:
    words = reply.words.lstrip("#№ ")
    return words if _ORDER_NUMBER.fullmatch(words) else None


def _reason(reply: Reply, _language: str) -> str | None:
    """A button's label in either language, or its number."""
    words = reply.words.strip().casefold().rstrip(".")
    for number, (reason, named) in enumerate(REASONS.items(), 1):
        if words in (str(number), *(label.casefold() for label in named.values())):
            return reason
    return None


def _email(reply: Reply, _language: str) -> str | None:
    try:
        return Email.parse(reply.words).text
    except InvalidValueError:
        return None


def _phone(reply: Reply, _language: str) -> str | None:
    return reply.words if _PHONE.fullmatch(reply.words) else None


def _email_or_phone(reply: Reply, language: str) -> str | None:
    return _email(reply, language) or _phone(reply, language)


def _full_name(reply: Reply, _language: str) -> str | None:
    letters = sum(letter.isalpha() for letter in reply.words)
    return reply.words if letters > 1 and len(reply.words) <= _LONGEST_NAME else None


def _payment_date(reply: Reply, _language: str) -> str | None:
    found = _DATE.fullmatch(reply.words)
    try:
        if found:
            return day_in_bounds(date(int(found[3]), int(found[2]), int(found[1]))).isoformat()
        return day_in_bounds(date.fromisoformat(reply.words)).isoformat()
    except ValueError:
        return None


def _text(reply: Reply, _language: str) -> str | None:
    return reply.words.strip() or None


def _evidence(reply: Reply, _language: str) -> str | None:
    reference = f"Telegram file {reply.file}" if reply.file else ""
    return " ".join(filter(None, (reference, reply.words))) or None


_READERS: dict[str, Callable[[Reply, str], str | None]] = {
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
