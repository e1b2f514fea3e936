"""The conversation about a refund, the same in every channel. Pure: a message changes a state, and is answered."""

from datetime import datetime, timedelta

from refunds.channels.models import AddFile, FileAppeal, Message, OpenCase, OrderContext, ShowStatus, State, Turn
from refunds.channels.rules.questions import next_step, read_answer
from refunds.channels.rules.texts import question, text_of
from shared.contracts import Language

#: After so many wrong pairs of order number and contact within a day, the buyer is referred to support.
_MISMATCHES = 5
_MISMATCH_MEMORY = timedelta(days=1)
#: So many messages of a chat are answered within an hour. The answer to the next one says so; more are not stored.
MESSAGES_PER_HOUR = 120
_HOUR = timedelta(hours=1)


def converse(stored: State | None, message: Message, order: OrderContext) -> Turn:
    """Read a message. `stored`: the state of the chat, None where it is new. `order`: of the number given before."""
    state = stored or State(language=message.language)
    command, _, rest = message.words.partition(" ")
    command = command.partition("@")[0].casefold()
    if command == "/start" or (stored is None and not command.startswith("/")):
        state = begin(message.language, state)
        return Turn(state, f"{text_of('hello', state.language)}\n\n{question('order_number', state.language)}")
    if command == "/cancel":
        kept = State(language=state.language, mismatches=state.mismatches, mismatched_at=state.mismatched_at)
        return Turn(kept, text_of("forgotten", state.language))
    if command == "/appeal":
        return Turn(state, intent=FileAppeal(rest.strip()))
    if message.refusal is not None:
        return Turn(state, _again("not_evidence", state))
    if command == "/status" or state.step is None:
        return Turn(state, intent=ShowStatus() if message.content is None else AddFile())
    return _answered(state, message, order)


def begin(language: Language, previous: State | None = None) -> State:
    """The state of a new request. Mismatches are kept."""
    kept = previous or State()
    return State(language=language, step="order_number", mismatches=kept.mismatches, mismatched_at=kept.mismatched_at)


def _answered(state: State, message: Message, order: OrderContext) -> Turn:
    """Read the answer to the last question, and ask the next one."""
    step = state.step or "order_number"
    value = read_answer(step, message)
    if value is None:
        return Turn(state, _again("not_understood", state))
    answers = state.answers | ({} if order.phone is None else {"phone": order.phone})
    if step == "reason":
        state = state.model_copy(update={"reason": value, "answers": answers})
    else:
        state = state.model_copy(update={"answers": answers | {step: value}})
    following = next_step(state, order.requirements)
    state = state.model_copy(update={"step": following})
    if following is None:
        return Turn(state, intent=OpenCase())
    return Turn(state, question(following, state.language))


def _again(text: str, state: State) -> str:
    texts = [text_of(text, state.language)]
    if state.step is not None:
        texts.append(question(state.step, state.language))
    return "\n\n".join(texts)


def finished(state: State, text: str) -> Turn:
    """The request is with us, or cannot be taken: the answers are forgotten."""
    return Turn(State(language=state.language), text)


def mismatched(state: State, now: datetime) -> Turn:
    """Number and contact do not match: begin again a few times a day; then refer the buyer to support."""
    count = min(_recent_mismatches(state, now) + 1, _MISMATCHES)
    again = begin(state.language).model_copy(update={"mismatches": count, "mismatched_at": now})
    if count >= _MISMATCHES:
        return Turn(again.model_copy(update={"step": None}), text_of("too_often", state.language))
    return Turn(again, f"{text_of('no_match', state.language)}\n\n{question('order_number', state.language)}")


def has_guessed_too_often(state: State, now: datetime) -> bool:
    """Whether number and contact have not matched so often that nothing is opened from this chat today."""
    return _recent_mismatches(state, now) >= _MISMATCHES


def _recent_mismatches(state: State, now: datetime) -> int:
    """How often order number and contact did not match within the last day."""
    recent = state.mismatched_at is not None and now - state.mismatched_at < _MISMATCH_MEMORY
    return state.mismatches if recent else 0


def count_message(stored: State | None, now: datetime) -> tuple[int, datetime]:
    """The number of messages within this hour, with the current one, and when the hour began."""
    if stored is None or stored.messages_since is None or now - stored.messages_since >= _HOUR:
        return 1, now
    return stored.messages + 1, stored.messages_since
