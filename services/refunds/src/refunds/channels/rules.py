"""The conversation, a pure step: what the chat had told, what it says now → what it has told, what is asked next."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from refunds.channels.texts import REASONS, step_name
from refunds.policy.models.facts import Reason, RequestField
from refunds.policy.models.policy import Required
from shared.values.email_address import Email
from shared.values.moment import day_in_bounds
from shared.values.refusal import InvalidValueError

_ORDER_NUMBER = re.compile(r"[0-9]{6,15}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{5,24}[0-9]")
_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_LONGEST_NAME = 200
#: The order's number and the reason come first, whatever the policy: they decide what else is required.
FIRST = ("order_number", "reason")


class State(BaseModel):
    """What a chat has told so far. Sealed where it is stored; gone when the request is registered."""

    model_config = ConfigDict(frozen=True)

    language: str = "en"
    #: What was asked last; None: nothing.
    step: str | None = None
    reason: Reason | None = None
    #: By step: the values as given.
    told: dict[str, str] = Field(default_factory=dict, repr=False)
    #: How often number and contact did not match, and since when.
    mismatches: int = 0
    mismatched_at: datetime | None = None
    #: Messages of the present hour, and when it began.
    heard: int = 0
    heard_since: datetime | None = None


@dataclass(slots=True, frozen=True)
class Said:
    """A message, as far as the conversation reads it."""

    words: str
    file: str | None = None


@dataclass(slots=True, frozen=True)
class Step:
    """The chat after a message. `understood`: False where the same is asked again; `complete`: nothing is missing."""

    state: State
    understood: bool

    @property
    def complete(self) -> bool:
        return self.state.step is None


#: What the policy requires of a request, once the order's number and the reason are known.
Requirements = Callable[[str, Reason], Sequence[Required]]


def begin(language: str, previous: State | None = None) -> State:
    """A new request. Mismatches are remembered."""
    kept = {} if previous is None else previous.model_dump(include={"mismatches", "mismatched_at"})
    return State(language=language, step="order_number", **kept)


def advance(state: State, said: Said, requirements: Requirements) -> Step:
    """Read the answer to what was asked, and find what to ask next."""
    if state.step is None:
        return Step(state, understood=False)
    value = _READERS[state.step](said, state.language)
    if value is None:
        return Step(state, understood=False)
    told = {**state.told, state.step: value}
    if state.step == "reason":
        told.pop("reason")
        state = state.model_copy(update={"reason": value})
    state = state.model_copy(update={"told": told})
    return Step(state.model_copy(update={"step": _next(state, requirements)}), understood=True)


def _next(state: State, requirements: Requirements) -> str | None:
    number = state.told.get("order_number")
    if number is None:
        return "order_number"
    if state.reason is None:
        return "reason"
    return next((step for step in steps(requirements(number, state.reason)) if step not in state.told), None)


def steps(required: Sequence[Required]) -> list[str]:
    """What is asked after number and reason. A reason that the policy requires is given with its circumstances."""
    asked: list[str] = []
    for item in required:
        if "reason" in item.any_of:
            asked.insert(0, "circumstances")  # while they have just said why
        elif item.any_of != ("order_number",):
            asked.append(step_name(item.any_of))
    if not {"email", "phone", "email_or_phone"} & set(asked):
        asked.append("email")  # without a contact nobody could tell the buyer from a stranger
    return asked


def provided(state: State) -> frozenset[RequestField]:
    """The policy's fields that the chat has told."""
    found: set[RequestField] = {"order_number", "reason"}
    names: tuple[RequestField, ...] = ("email", "phone", "full_name", "payment_date", "evidence")
    found.update(name for name in names if name in state.told)
    if contact(state, "email"):
        found.add("email")
    if contact(state, "phone"):
        found.add("phone")
    return frozenset(found)


def contact(state: State, field: str) -> str | None:
    """The e-mail or phone that was told, also where one of both was asked for."""
    either = state.told.get("email_or_phone")
    if field in state.told:
        return state.told[field]
    if either is None or ("@" in either) != (field == "email"):
        return None
    return either


def _order_number(said: Said, _language: str) -> str | None:
    words = said.words.lstrip("#№ ")
    return words if _ORDER_NUMBER.fullmatch(words) else None


def _reason(said: Said, _language: str) -> str | None:
    """A button's label in either language, or its number."""
    words = said.words.strip().casefold().rstrip(".")
    for number, (reason, named) in enumerate(REASONS.items(), 1):
        if words in (str(number), *(label.casefold() for label in named.values())):
            return reason
    return None


def _email(said: Said, _language: str) -> str | None:
    try:
        return Email.parse(said.words).text
    except InvalidValueError:
        return None


def _phone(said: Said, _language: str) -> str | None:
    return said.words if _PHONE.fullmatch(said.words) else None


def _email_or_phone(said: Said, language: str) -> str | None:
    return _email(said, language) or _phone(said, language)


def _full_name(said: Said, _language: str) -> str | None:
    letters = sum(letter.isalpha() for letter in said.words)
    return said.words if letters > 1 and len(said.words) <= _LONGEST_NAME else None


def _payment_date(said: Said, _language: str) -> str | None:
    found = _DATE.fullmatch(said.words)
    try:
        if found:
            return day_in_bounds(date(int(found[3]), int(found[2]), int(found[1]))).isoformat()
        return day_in_bounds(date.fromisoformat(said.words)).isoformat()
    except ValueError:
        return None


def _text(said: Said, _language: str) -> str | None:
    return said.words.strip() or None


def _evidence(said: Said, _language: str) -> str | None:
    reference = f"Telegram file {said.file}" if said.file else ""
    return " ".join(filter(None, (reference, said.words))) or None


_READERS: dict[str, Callable[[Said, str], str | None]] = {
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
