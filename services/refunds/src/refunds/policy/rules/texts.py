"""The sentences of decisions that no policy file holds, in four languages (`policy/texts`), and dates in them."""

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import get_args

from shared.contracts import Explanation, Language

LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def texts(language: Language) -> Mapping[str, Mapping[str, str]]:
    """The `decision` sentences of a language by name, and its `calendar`."""
    return tomllib.loads((files("refunds.policy") / "texts" / f"{language}.toml").read_text("utf-8"))


def sentence(name: str, language: Language, **values: str) -> str:
    """A sentence in a language, with its values filled in."""
    return texts(language)["decision"][name].format_map(values)


def explained(name: str, **values: str) -> Explanation:
    """A sentence in every language, as the explanation of a decision."""
    return Explanation(**{language: sentence(name, language, **values) for language in LANGUAGES})


def followed_by(explanation: Explanation, name: str, **values: str) -> Explanation:
    """An explanation with one more sentence, in each language in which it is written."""
    written = {language: getattr(explanation, language) for language in LANGUAGES}
    return Explanation(
        **{language: text and f"{text} {sentence(name, language, **values)}" for language, text in written.items()}
    )


def day_text(day: date, language: Language) -> str:
    """`20 November 2026`, `20 ноября 2026 г.`, `2026 ж. 20 қараша`, `20 ნოემბერი, 2026`."""
    calendar = texts(language)["calendar"]
    return calendar["day"].format(day=day.day, month=calendar["months"].split()[day.month - 1], year=day.year)
