"""The texts of the conversation in four languages (`channels/texts`). They never repeat what a person wrote."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from refunds.policy import Reason, RequestField
from shared.contracts import Explanation, Language

Texts = Mapping[str, Mapping[str, str]]


@cache
def texts(language: Language) -> Texts:
    """All texts of a language: `conversation` by name, and the labels of `reasons`."""
    return tomllib.loads((files("refunds.channels") / "texts" / f"{language}.toml").read_text("utf-8"))


def text_of(name: str, language: Language, **values: str) -> str:
    """A text in a language, with its values filled in."""
    return texts(language)["conversation"][name].format(**values)


def reasons(language: Language) -> Mapping[Reason, str]:
    """The reasons that can be chosen, and what they are called."""
    return texts(language)["reasons"]  # type: ignore[return-value] # a test compares the names with the reasons


def question(step: str, language: Language) -> str:
    """The question of a step; the question for the reason lists all reasons with their numbers."""
    text = text_of(step, language)
    if step != "reason":
        return text
    listed = (f"{number}. {label}" for number, label in enumerate(reasons(language).values(), 1))
    return "\n".join([text, *listed])


def keyboard(step: str | None, language: Language) -> list[list[str]]:
    """The buttons of a step, two in a row; none: the keyboard is removed."""
    if step != "reason":
        return []
    labels = list(reasons(language).values())
    return [labels[place : place + 2] for place in range(0, len(labels), 2)]


def step_name(any_of: tuple[RequestField, ...]) -> str:
    """The name of the step that asks for a required field, or for one of several."""
    return "_or_".join(any_of)


def answer_texts(explanation: Mapping[str, str | None] | None, verdict: str | None, language: Language) -> list[str]:
    """The explanation of the decision, and what the buyer can do next."""
    texts_ = [] if explanation is None else [Explanation.model_validate(explanation).text(language)]
    hints = {"deny": "how_to_appeal", "await_information": "missing"}
    return [*texts_, *(text_of(hint, language) for decided, hint in hints.items() if decided == verdict)]
