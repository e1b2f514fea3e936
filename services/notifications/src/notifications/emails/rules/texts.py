"""The texts in each language, and how dates, money and data volumes are written in it."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import get_args
from zoneinfo import ZoneInfo

from shared.contracts import Explanation, Language, Money

Texts = dict[str, dict[str, str]]
#: ISO 4217 minor units where they are not two.
_DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}
_MB_PER_GB = (1024, 1000)
_MB, _GB = 1024**2, 1024**3
_NO_BREAK = "\u00a0"
_TEENS = range(11, 15)
_FEW = range(2, 5)


def written(language: str) -> Language:
    """The language of emails to a buyer of this language: English if there are no texts in it."""
    return language if language in get_args(Language) else "en"  # type: ignore[return-value] # just checked


@cache
def texts(language: Language) -> Texts:
    """All sentences in a language, by section and name."""
    return tomllib.loads((files("notifications") / "texts" / f"{language}.toml").read_text("utf-8"))


def day(moment: date, language: Language) -> str:
    """`20 May 2027`, `20 мая 2027 г.`, `2027 ж. 20 мамыр`, `20 მაისი, 2027`."""
    names = texts(language)["calendar"]["months"].split()
    pattern = texts(language)["calendar"]["day"]
    return pattern.format(day=f"{moment.day}{_NO_BREAK}", month=names[moment.month - 1], year=moment.year)


def minute(moment: datetime, language: Language, zone: ZoneInfo) -> str:
    """`20 May 2027, 14:05` in the time zone."""
    local = moment.astimezone(zone)
    return f"{day(local.date(), language)}, {local:%H:%M}"


def money(amount: Money, language: Language) -> str:
    """`12,990.00 KZT`, `12 990,00 KZT`; minor units in, no rounding."""
    decimals = _DECIMALS.get(amount.currency, 2)
    whole, part = divmod(amount.amount, 10**decimals)
    groups = f"{whole:,}" if language == "en" else f"{whole:,}".replace(",", _NO_BREAK)
    point = "." if language == "en" else ","
    tail = f"{point}{part:0{decimals}d}" if decimals else ""
    return f"{groups}{tail}{_NO_BREAK}{amount.currency}"


def volume(megabytes: int, language: Language) -> str:
    """`5 GB`, `500 MB`: gigabytes only if they are whole, with 1024 or 1000 MB each as the seller counts them."""
    units = texts(language)["calendar"]
    for per_gigabyte in _MB_PER_GB:
        if megabytes % per_gigabyte == 0:
            return f"{megabytes // per_gigabyte}{_NO_BREAK}{units['gigabytes']}"
    return f"{megabytes}{_NO_BREAK}{units['megabytes']}"


def traffic(used: int, language: Language) -> str:
    """Bytes as `1.2 GB` or `340 MB`."""
    units = texts(language)["calendar"]
    number = f"{used / _GB:.1f}" if used >= _GB else f"{used / _MB:.0f}"
    number = number.removesuffix(".0")
    if language != "en":
        number = number.replace(".", ",")
    return f"{number}{_NO_BREAK}{units['gigabytes' if used >= _GB else 'megabytes']}"


def days(count: int, language: Language) -> str:
    """`30 days`, `21 день`, `3 дня`, `30 дней`, `30 күн`, `30 დღე`."""
    one, few, many = texts(language)["calendar"]["days"].split()
    if language == "ru":
        if count % 100 in _TEENS:
            word = many
        elif count % 10 == 1:
            word = one
        else:
            word = few if count % 10 in _FEW else many
    else:
        word = one if count == 1 else many
    return f"{count}{_NO_BREAK}{word}"


@dataclass(frozen=True, slots=True)
class LocaleFormat:
    """Formats values for one buyer: in the buyer's language and the storefront's time zone."""

    language: Language
    zone: ZoneInfo

    def day(self, moment: date | datetime) -> str:
        """A day; of a moment, the day in the storefront's time zone."""
        return day(moment.astimezone(self.zone).date() if isinstance(moment, datetime) else moment, self.language)

    def minute(self, moment: datetime) -> str:
        return minute(moment, self.language, self.zone)

    def money(self, amount: Money) -> str:
        return money(amount, self.language)

    def volume(self, megabytes: int) -> str:
        return volume(megabytes, self.language)

    def days(self, count: int) -> str:
        return days(count, self.language)

    def explanation(self, explanation: Explanation) -> str:
        return explanation.text(self.language)
