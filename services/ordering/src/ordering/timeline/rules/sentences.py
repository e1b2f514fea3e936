"""The buyer's timeline: one sentence per fact, in four languages (`timeline/texts`)."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from ordering.timeline.models import Fact, FactDetail, RecordedFact
from shared.contracts import Language

#: Epay's reasonCodes (docs/wire/epay.md), by the name of what buyers read; other codes are not explained.
_REASONS: Mapping[str, tuple[int, ...]] = {
    "card_expired": (457, 478, 485),
    "card_blocked": (465, 467, 479, 489),
    "wrong_number": (471, 472),
    "three_d_secure": (455, 473, 499),
    "insufficient_funds": (484,),
    "card_limit": (488, 491),
}
_DECLINED = {code: name for name, codes in _REASONS.items() for code in codes}
_MEBIBYTE = 1024 * 1024
_ORDER = {fact: position for position, fact in enumerate(Fact)}


@cache
def texts(language: Language) -> Mapping[str, Mapping[str, str]]:
    """The sentences of a language by fact (`facts`), and their parts by section and name."""
    return tomllib.loads((files("ordering.timeline") / "texts" / f"{language}.toml").read_text("utf-8"))


def in_order(facts: Iterable[RecordedFact]) -> list[RecordedFact]:
    """Sort by time; facts of the same time in the sequence of `Fact`."""
    return sorted(facts, key=lambda recorded: (recorded.at, _ORDER[recorded.fact], recorded.ref))


def sentence(recorded: RecordedFact, language: Language) -> str:
    """Describe the fact to the buyer. What a detail names that has no text (a new way to pay) is left out."""
    detail, own = recorded.detail, texts(language)
    return own["facts"][recorded.fact.value].format(
        why=_why(detail.get("reason_code"), language),
        how=own["channels"].get(detail.get("channel", ""), ""),
        amount=_amount(detail),
        clauses=_clauses(detail.get("clauses", ())),
        missing=_missing(detail.get("missing", ()), language),
        total=_total(detail.get("total_bytes"), language),
        ended=own["ends"].get(detail.get("reason", ""), ""),
        used=_used(detail.get("percent"), language),
        last_day=_on_day("last_day", detail.get("ends_on"), language),
        unless=own["unless"].get(detail.get("reason", ""), ""),
        kind=own["receipts"].get(detail.get("kind", ""), ""),
        link=f": {link}" if (link := detail.get("link")) else "",
        until=_on_day("until", detail.get("credited_by"), language),
        paid_way=own["ways"].get(detail.get("way", ""), ""),
        sent=own["sent"]["another_way" if "way" in detail else "original"],
    )


def _why(code: int | None, language: Language) -> str:
    name = _DECLINED.get(code or 0)
    return f": {texts(language)['declined'][name]}" if name else ""


def _amount(detail: FactDetail) -> str:
    if "amount" not in detail:
        return ""
    # Every currency of the catalogue has two decimals (tiyn, cents).
    major, minor = divmod(int(detail["amount"]), 100)
    return f"{major:,}.{minor:02} {detail['currency']}".replace(",", "\u00a0")


def _clauses(clauses: Iterable[str]) -> str:
    joined = ", ".join(clauses)
    return f" ({joined})" if joined else ""


def _total(total_bytes: int | None, language: Language) -> str:
    if total_bytes is None:
        return ""
    megabytes = f"{total_bytes // _MEBIBYTE:,}".replace(",", "\u00a0")
    return texts(language)["parts"]["total"].format(megabytes=megabytes)


def _missing(fields: Iterable[str], language: Language) -> str:
    names = texts(language)["fields"]
    joined = ", ".join(names[field] for field in fields if field in names)
    return f": {joined}" if joined else ""


def _used(percent: int | None, language: Language) -> str:
    return "" if percent is None else texts(language)["parts"]["used"].format(percent=percent)


def _on_day(part: str, day: str | None, language: Language) -> str:
    if day is None:
        return ""
    calendar, moment = texts(language)["calendar"], date.fromisoformat(day)
    names = calendar["months"].split()
    name = names[moment.month - 1] if names else ""
    written = calendar["day"].format(day=moment.day, month=moment.month, name=name, year=moment.year)
    return texts(language)["parts"][part].format(day=written)
